import { TargetTLS_Mode, type PostgresCredential, type Resource } from "../../gen/access/v1/resources_pb";

/** kindOf says what a resource is. */
export function kindOf({ target }: Resource): string {
  return target.case === "postgres" ? "PostgreSQL" : "unknown";
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

const modes: Record<TargetTLS_Mode, string> = {
  [TargetTLS_Mode.UNSPECIFIED]: "verified, with the host’s name",
  [TargetTLS_Mode.VERIFY_FULL]: "verified, with the host’s name",
  [TargetTLS_Mode.VERIFY_CA]: "verified, without the host’s name",
  [TargetTLS_Mode.DISABLE]: "off",
};

export function tlsOf(mode: TargetTLS_Mode = TargetTLS_Mode.UNSPECIFIED): string {
  return modes[mode] ?? "unknown";
}
