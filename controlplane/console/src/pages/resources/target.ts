import { TargetTLS_Mode, type AwsCredential, type KubernetesCredential, type PostgresCredential, type Resource } from "../../gen/access/v1/resources_pb";

/** kindOf says what a resource is. */
export function kindOf({ target }: Resource): string {
  switch (target.case) {
    case "postgres":
      return "PostgreSQL";
    case "kubernetes":
      return "Kubernetes";
    case "aws":
      return "AWS account";
  }
  return "unknown";
}

/** labelsOf are the labels as policies write them. */
export function labelsOf({ labels }: Resource): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`).sort();
}

/** credentialOf says where a session's upstream credential comes from. No secret is in it. */
export function credentialOf(credential?: PostgresCredential): string {
  const source = credential?.source;
  switch (source?.case) {
    case "dynamic":
      return `A role for each session, with the privileges of ${source.value.memberOf.join(", ")}`;
    case "rdsIam":
      return `IAM token for ${source.value.user} in ${source.value.region}`;
    case "static":
      return `Password of ${source.value.user}, sealed`;
  }
  return "none";
}

/** clusterCredentialOf is credentialOf for a cluster. */
export function clusterCredentialOf(credential?: KubernetesCredential): string {
  const source = credential?.source;
  switch (source?.case) {
    case "eks":
      return `EKS token for ${source.value.cluster} in ${source.value.region}, of ${source.value.roleArn} assumed for each session`;
    case "serviceAccount":
      return `A token for each session, of the service account ${source.value.namespace}/${source.value.name}`;
    case "clientCertificate":
      return "Client certificate, its key sealed";
  }
  return "none";
}

/** accountCredentialOf is credentialOf for an account. */
export function accountCredentialOf(credential?: AwsCredential): string {
  const source = credential?.source;
  if (source?.case !== "assumeRole") return "none";
  const hub = source.value.hubRoleArn && `, through ${source.value.hubRoleArn}`;
  const reader = source.value.readerRoleArn && `, its policies read by ${source.value.readerRoleArn}`;
  return `Keys of the role, assumed for each session${hub}${source.value.wholeRole ? ", without a session policy" : ""}${reader}`;
}

const modes: Record<TargetTLS_Mode, string> = {
  [TargetTLS_Mode.UNSPECIFIED]: "verified, with the host’s name",
  [TargetTLS_Mode.VERIFY_FULL]: "verified, with the host’s name",
  [TargetTLS_Mode.VERIFY_CA]: "verified, without the host’s name",
  [TargetTLS_Mode.DISABLE]: "off",
};

export function tlsOf(mode: TargetTLS_Mode = TargetTLS_Mode.UNSPECIFIED): string {
  return modes[mode] ?? "unknown";
}
