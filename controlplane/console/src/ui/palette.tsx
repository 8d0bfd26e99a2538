import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useLocation } from "wouter";
import { placesFor } from "../places";
import { useMe } from "../signedin";
import { Modal } from "./dialog";
import { useKeys } from "./keys";

interface Target {
  name: string;
  href: string;
  hint?: string;
}

/** Palette goes anywhere by keyboard: Ctrl or Command K searches the pages and opens an id, "?" lists the keys. */
export function Palette() {
  const [open, setOpen] = useState<"search" | "help" | null>(null);
  const [, go] = useLocation();
  const me = useMe();
  const places = useMemo(() => placesFor(me).flatMap((group) => group.places), [me]);
  const lead = useRef(0);
  const jump = (event: globalThis.KeyboardEvent, href: string) => {
    const led = within(lead.current);
    lead.current = 0;
    if (led) (event.preventDefault(), go(href));
    return led;
  };
  const jumps = Object.fromEntries(places.map(({ key, href }) => [key, (event: globalThis.KeyboardEvent) => void jump(event, href)]));
  const g = (event: globalThis.KeyboardEvent) => {
    if (!jump(event, "/grants")) lead.current = Date.now();
  };
  useKeys({ ...jumps, g, "?": () => setOpen("help") }, true);
  useEffect(() => {
    const listen = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setOpen("search");
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  if (open === "help") return <Help onClose={() => setOpen(null)} />;
  if (open === "search") return <Search places={places} onClose={() => setOpen(null)} onGo={(href) => (setOpen(null), go(href))} />;
  return null;
}

const patience = 1500;

function within(since: number): boolean {
  return Date.now() - since < patience;
}

function Search({ places, onClose, onGo }: { places: Target[]; onClose: () => void; onGo: (href: string) => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useId();
  const found = targets(text.trim(), places);
  const chosen = Math.min(at, found.length - 1);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) (event.preventDefault(), setAt((chosen + step + found.length) % Math.max(1, found.length)));
    if (event.key === "Enter" && found[chosen]) (event.preventDefault(), onGo(found[chosen].href));
  };
  return (
    <Modal title="Go to" onClose={onClose}>
      <input
        className="input" role="combobox" aria-label="Page or id" aria-expanded="true" aria-controls={list} aria-activedescendant={found[chosen] && `${list}-${chosen}`}
        placeholder="A page, or an id such as hold-…" value={text} onKeyDown={onKeyDown} onChange={(e) => (setText(e.target.value), setAt(0))}
      />
      <ul id={list} role="listbox" aria-label="Where to" className="palette-list">
        {found.map((target, i) => (
          <li key={target.href} id={`${list}-${i}`} role="option" aria-selected={i === chosen} onClick={() => onGo(target.href)}>
            {target.name} {target.hint && <span className="faint">{target.hint}</span>}
          </li>
        ))}
        {found.length === 0 && <li role="option" aria-disabled="true" aria-selected="false" className="faint">Nothing has that name.</li>}
      </ul>
    </Modal>
  );
}

/** targets are the pages whose name holds the text, and the thing that the text is the id of. */
export function targets(text: string, places: Target[]): Target[] {
  const id = encodeURIComponent(text);
  if (/^(req|hold)-\S+$/.test(text)) return [{ name: "Approval", hint: text, href: `/approvals/${id}` }];
  if (/^grant-\S+$/.test(text)) return [{ name: "Grant", hint: text, href: `/grants/${id}` }];
  if (/^ses-\S+$/.test(text)) return [{ name: "Session", hint: text, href: `/sessions/${id}` }];
  return places.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
}

const keys: [string, string][] = [
  ["Ctrl K", "go to a page or an id"],
  ["g then a", "approvals; likewise q requests, g grants, s sessions, r resources, e edges"],
  ["g then p", "policy; likewise i principals, l locks, u audit, n notifications"],
  ["j and k", "next and previous approval"],
  ["a and d", "approve and deny the one in focus; asks first"],
  ["o", "open the one in focus"],
  ["Space", "play and pause a replay"],
  ["Ctrl Enter", "confirm a dialog; Escape closes it"],
  ["?", "this list"],
];

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal title="Keyboard" onClose={onClose}>
      <dl className="keys">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>{key.split(" ").map((part, i) => (part === "then" || part === "and" ? ` ${part} ` : <kbd key={i}>{part}</kbd>))}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <footer className="dialog-foot"><button type="button" className="button" onClick={onClose}>Close</button></footer>
    </Modal>
  );
}
