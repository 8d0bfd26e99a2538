import type { IconName } from "./ui/icons";
import type { Me } from "./signedin";

/** Place is a page of the navigation; key goes there after "g". */
export interface Place {
  href: string;
  name: string;
  icon: IconName;
  key: string;
  /** auditor pages are for who sees everything. */
  auditor?: boolean;
}

const groups: { name: string; places: Place[] }[] = [
  {
    name: "Access",
    places: [
      { href: "/approvals", name: "Approvals", icon: "approvals", key: "a" },
      { href: "/requests", name: "Requests", icon: "requests", key: "q" },
      { href: "/grants", name: "Grants", icon: "grants", key: "g" },
      { href: "/sessions", name: "Sessions", icon: "sessions", key: "s" },
    ],
  },
  {
    name: "Inventory",
    places: [
      { href: "/principals", name: "Principals", icon: "principals", key: "i", auditor: true },
      { href: "/resources", name: "Resources", icon: "resources", key: "r" },
      { href: "/edges", name: "Edges", icon: "edges", key: "e" },
    ],
  },
  {
    name: "Control",
    places: [
      { href: "/policy", name: "Policy", icon: "policy", key: "p", auditor: true },
      { href: "/locks", name: "Locks", icon: "locks", key: "l", auditor: true },
      { href: "/audit", name: "Audit", icon: "audit", key: "u", auditor: true },
      { href: "/notifications", name: "Notifications", icon: "notifications", key: "n", auditor: true },
    ],
  },
];

/** placesFor returns the navigation of who is signed in. */
export function placesFor({ auditor }: Me): { name: string; places: Place[] }[] {
  return groups
    .map(({ name, places }) => ({ name, places: places.filter((place) => auditor || !place.auditor) }))
    .filter(({ places }) => places.length > 0);
}
