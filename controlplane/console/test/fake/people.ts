import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PrincipalKind } from "../../src/gen/access/v1/common_pb";

export const now = Date.now();

/** before is a time so many seconds ago; after is one ahead. */
export const before = (seconds: number) => timestampFromMs(now - seconds * 1000);
export const after = (seconds: number) => timestampFromMs(now + seconds * 1000);
export const seconds = (n: number) => ({ seconds: BigInt(n) });

const issuer = "https://login.example.com";

export const root = { name: "root@example.com", kind: PrincipalKind.PERSON, groups: ["writ-admins", "dba"], issuer, email: "root@example.com" };
export const ada = { name: "ada@example.com", kind: PrincipalKind.PERSON, groups: ["dba", "on-call"], issuer, email: "ada@example.com" };
export const ben = { name: "ben@example.com", kind: PrincipalKind.PERSON, groups: ["shop-owners", "analysts"], issuer, email: "ben@example.com" };
export const bot = {
  name: "order-cleaner", kind: PrincipalKind.AGENT, groups: ["agents"], issuer, onBehalfOf: ["ben@example.com"], delegators: [ben],
};
export const ci = {
  name: "ci:repo:example/shop:ref:refs/heads/main", kind: PrincipalKind.JOB, groups: ["deployers"], issuer: "https://token.actions.githubusercontent.com",
};
export const billing = { name: "spiffe://example.org/billing", kind: PrincipalKind.SERVICE, groups: ["services"], issuer: "spiffe://example.org", onBehalfOf: ["carla@example.com"] };
export const everybody = [root, ada, ben, bot, ci, billing];
