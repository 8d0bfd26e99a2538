import type { ReactNode } from "react";

const shapes = {
  approvals: <><path d="M3 4.5h14v8.5H9.5L6 16.2V13H3z" /><path d="m7.2 8.6 2 2 3.8-3.8" /></>,
  requests: <><path d="M4 3.5h8.5L16 7v9.5H4z" /><path d="M7 9h6M7 12.5h4" /></>,
  grants: <><circle cx="7" cy="12.5" r="3.5" /><path d="m9.6 10 6.4-6.5M13 6.5l2.5 2.5" /></>,
  sessions: <><rect x="2.5" y="4" width="15" height="12" rx="2" /><path d="m6 8 2.5 2L6 12M10.5 12.5H14" /></>,
  principals: <><circle cx="10" cy="6.8" r="3.3" /><path d="M3.8 16.5c.6-3.2 3-5 6.2-5s5.6 1.8 6.2 5" /></>,
  resources: <><ellipse cx="10" cy="5" rx="6" ry="2.3" /><path d="M4 5v10c0 1.3 2.7 2.3 6 2.300s6-1 6-2.300V5M4 10c0 1.3 2.7 2.3 6 2.300s6-1 6-2.3" /></>,
  edges: <><circle cx="4.5" cy="10" r="2" /><circle cx="15.5" cy="4.8" r="2" /><circle cx="15.5" cy="15.2" r="2" /><path d="m6.4 9.1 7.2-3.400M6.4 10.900l7.2 3.4" /></>,
  policy: <><path d="M10 2.8 16.2 5v4.600c0 3.7-2.5 6.3-6.2 7.6-3.7-1.3-6.2-3.9-6.2-7.600V5z" /><path d="m7.3 9.8 2 2 3.5-3.7" /></>,
  locks: <><rect x="4" y="9" width="12" height="8" rx="1.8" /><path d="M6.8 9V6.500a3.2 3.2 0 0 1 6.4 0V9" /></>,
  audit: <><circle cx="9" cy="9" r="5.5" /><path d="m13.2 13.2 3.8 3.8" /></>,
  notifications: <><path d="M5.5 13.500V9a4.5 4.5 0 0 1 9 0v4.500l1.2 1H4.300zM8.5 17h3" /></>,
  light: <><circle cx="10" cy="10" r="3.5" /><path d="M10 2.500v1.800M10 15.700v1.800M2.5 10h1.800M15.7 10h1.800M4.7 4.7 6 6M14 14l1.3 1.300M4.7 15.3 6 14M14 6l1.3-1.3" /></>,
  dark: <path d="M16.5 12.300A7 7 0 0 1 7.7 3.500a7 7 0 1 0 8.8 8.800z" />,
  system: <><rect x="2.5" y="4" width="15" height="10" rx="1.5" /><path d="M7 17h6M10 14v3" /></>,
  menu: <path d="M3 5.500h14M3 10h14M3 14.500h14" />,
  close: <path d="m5 5 10 10M15 5 5 15" />,
  check: <path d="m4 10.5 4 4 8-9" />,
  play: <path d="M6.5 4.200v11.600l9-5.800z" fill="currentColor" />,
  pause: <path d="M6.5 4.500v11M13.5 4.500v11" strokeWidth="3" />,
  back: <path d="M12.5 4.5 7 10l5.5 5.5" />,
  forward: <path d="M7.5 4.5 13 10l-5.5 5.5" />,
  down: <path d="m4.5 7.5 5.5 5.5 5.5-5.5" />,
  warning: <><path d="M10 3 18 16.500H2z" /><path d="M10 8v4M10 14.300v.2" /></>,
  clock: <><circle cx="10" cy="10" r="7" /><path d="M10 6v4.300l2.8 1.7" /></>,
  leave: <path d="M12 6V3.500H4v13h8V14M8.5 10H17m-3-3 3 3-3 3" />,
  help: <><circle cx="10" cy="10" r="7.3" /><path d="M7.8 8c0-1.3 1-2.2 2.2-2.200s2.2.8 2.2 2c0 1.6-2.2 1.7-2.2 3.400M10 13.800v.2" /></>,
  plus: <path d="M10 4v12M4 10h12" />,
  copy: <><rect x="7" y="7" width="9.5" height="9.5" rx="1.5" /><path d="M13 4.500H5A1.5 1.5 0 0 0 3.5 6v8" /></>,
  flame: <path d="M10 2.500c.5 3 4.5 4.5 4.5 9a4.5 4.5 0 0 1-9 0c0-1.8.8-3 1.8-4 .2 1 .7 1.6 1.4 2 0-2.5.3-5 1.3-7z" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof shapes;

/** Icon decorates a label; it never stands for one, so it is hidden from assistive technology. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      {shapes[name]}
    </svg>
  );
}
