import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { RoleAnalysisSchema, RoleStatementSchema } from "../../src/gen/access/v1/resources_pb";
import { titleOf, verdictOf } from "../../src/text/role";

test("a role of which nothing is known counts as privileged", () => {
  const role = (value: object) => verdictOf(create(RoleAnalysisSchema, value));
  expect(role({ problem: "AWS does not let Writ read its policies" })).toEqual({ text: "counts as privileged: AWS does not let Writ read its policies", tone: "bad" });
  expect(role({ known: true })).toEqual({ text: "not privileged", tone: "good" });
  expect(role({ known: true, privileged: true, actionCount: 1 }).text).toBe("1 privileged action");
  expect(role({ known: true, privileged: true, actionCount: 12 })).toEqual({ text: "12 privileged actions", tone: "warn" });
});

test("a statement says where it stands and what it is about", () => {
  const title = (value: object) => titleOf(create(RoleStatementSchema, value));
  expect(title({ use: "attached", policy: "RDS", policyArn: "arn:aws:iam::aws:policy/RDS", version: "v14", allResources: true })).toBe("attached arn:aws:iam::aws:policy/RDS v14, statement 0, on all resources");
  expect(title({ use: "inline", policy: "deploy", index: 2, sid: "Deploy", conditional: true })).toBe("inline deploy, statement 2 (Deploy), under conditions, on some resources");
});
