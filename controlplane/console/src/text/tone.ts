/** Tone is the colour of a status. A label always says the same in words. */
export type Tone = "neutral" | "good" | "bad" | "warn" | "info";

/** toneOfDecision is that of "allow", "deny" and "hold". */
export function toneOfDecision(decision: string): Tone {
  switch (decision) {
    case "allow":
      return "good";
    case "deny":
      return "bad";
    case "hold":
      return "warn";
  }
  return "neutral";
}
