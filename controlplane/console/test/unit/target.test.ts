import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AwsCredentialSchema, KubernetesCredentialSchema, ResourceSchema } from "../../src/gen/access/v1/resources_pb";
import { accountCredentialOf, clusterCredentialOf, kindOf } from "../../src/pages/resources/target";

test("a resource says what it is", () => {
  expect(kindOf(create(ResourceSchema, { target: { case: "postgres", value: {} } }))).toBe("PostgreSQL");
  expect(kindOf(create(ResourceSchema, { target: { case: "kubernetes", value: {} } }))).toBe("Kubernetes");
  expect(kindOf(create(ResourceSchema, { target: { case: "aws", value: {} } }))).toBe("AWS account");
  expect(kindOf(create(ResourceSchema))).toBe("unknown");
});

test("a cluster's credential is named without its secret", () => {
  const credential = (source: object) => clusterCredentialOf(create(KubernetesCredentialSchema, { source } as never));
  expect(credential({ case: "eks", value: { cluster: "shop", region: "eu-west-1", roleArn: "arn:aws:iam::1:role/x" } })).toContain("shop in eu-west-1, of arn:aws:iam::1:role/x");
  const account = credential({ case: "serviceAccount", value: { namespace: "writ", name: "gate", token: "hunter2" } });
  expect(account).toContain("writ/gate");
  expect(account).not.toContain("hunter2");
  expect(credential({ case: "clientCertificate", value: { certificatePem: "c", keyPem: "hunter2" } })).not.toContain("hunter2");
  expect(clusterCredentialOf(undefined)).toBe("none");
});

test("an account's credential says what sessions go through", () => {
  const credential = (value: object) => accountCredentialOf(create(AwsCredentialSchema, { source: { case: "assumeRole", value } } as never));
  expect(credential({})).toBe("Keys of the role, assumed for each session");
  expect(credential({ hubRoleArn: "arn:aws:iam::9:role/hub", wholeRole: true })).toBe("Keys of the role, assumed for each session, through arn:aws:iam::9:role/hub, without a session policy");
  expect(credential({ readerRoleArn: "arn:aws:iam::1:role/reader" })).toContain("its policies read by arn:aws:iam::1:role/reader");
  expect(accountCredentialOf(undefined)).toBe("none");
});
