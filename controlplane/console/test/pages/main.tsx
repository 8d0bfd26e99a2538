import { start } from "../../src/app";
import { fakeTransport, type Scene } from "../fake/transport";

// The scene is kept for the tab, so that the addresses of the pages stay those of the console.
start(document.getElementById("root")!, fakeTransport((sessionStorage.getItem("scene") ?? "full") as Scene));
