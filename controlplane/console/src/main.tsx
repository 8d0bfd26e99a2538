import { consoleTransport } from "./api/transport";
import { start } from "./app";

start(document.getElementById("root")!, consoleTransport());
