import { Suspense, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { HoldDraft } from "./draft";
import { useInbox, WatchInbox } from "./inbox";
import { placesFor, type Place } from "./places";
import { Routes } from "./routes";
import { useMe } from "./signedin";
import { signOut } from "./api/signin";
import { Icon } from "./ui/icons";
import { Palette } from "./ui/palette";
import { Button, Loading, Page } from "./ui/parts";
import { ThemeSwitch } from "./ui/theme";
import { Said } from "./ui/said";
import { kinds } from "./ui/who";

/** Shell is the frame of every page: navigation, who is signed in, and the page itself. */
export function Shell() {
  return (
    <WatchInbox>
      <a className="skip" href="#main">Skip to the page</a>
      <div className="shell">
        <Side />
        <main id="main" tabIndex={-1}>
          <HoldDraft>
            <Suspense fallback={<Coming />}>
              <Routes />
            </Suspense>
          </HoldDraft>
        </main>
      </div>
      <Palette />
      <PageChange />
    </WatchInbox>
  );
}

/** Coming holds the place of a page whose code is on its way. */
function Coming() {
  const [location] = useLocation();
  const place = placesFor(useMe()).flatMap((group) => group.places).find(({ href }) => location === href || location.startsWith(href + "/"));
  return <Page title={place?.name ?? "Writ"} lead={"\u00a0"}><Loading rows={8} /></Page>;
}

function Side() {
  const [open, setOpen] = useState(false);
  const [location] = useLocation();
  useEffect(() => setOpen(false), [location]);
  return (
    <header className="side" data-open={open || undefined}>
      <div className="side-head">
        <Link href="/approvals" className="brand"><Mark /> Writ</Link>
        <Button look="quiet" icon={open ? "close" : "menu"} className="button menu-button" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>
          <span className="hidden">Menu</span>
        </Button>
      </div>
      <div id="nav" className="side-body">
        <Navigation />
        <Account />
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M7 10.5 11.2 22h1.9L16 14l2.9 8h1.9L25 10.5" />
    </svg>
  );
}

function Navigation() {
  const groups = placesFor(useMe());
  return (
    <nav aria-label="Pages">
      {groups.map(({ name, places }) => (
        <div key={name} className="nav-group">
          <p aria-hidden="true">{name}</p>
          <ul>{places.map((place) => <li key={place.href}><NavLink place={place} /></li>)}</ul>
        </div>
      ))}
    </nav>
  );
}

function NavLink({ place }: { place: Place }) {
  const [location] = useLocation();
  const here = location === place.href || location.startsWith(place.href + "/");
  return (
    <Link href={place.href} className="nav-link" aria-current={here ? "page" : undefined}>
      <Icon name={place.icon} />
      {place.name}
      {place.href === "/approvals" && <Waiting />}
    </Link>
  );
}

function Waiting() {
  const count = [...useInbox().byID.values()].filter((a) => a.canVote).length;
  return count === 0 ? null : <span className="count">{count}<span className="hidden"> wait for you</span></span>;
}

function Account() {
  const { principal, admin, auditor } = useMe();
  return (
    <div className="account">
      <div className="account-who">
        <strong title={principal.name}><Said text={principal.name} /></strong>
        <span className="faint">{kinds[principal.kind]}, {admin ? "administrator" : auditor ? "auditor" : "member"}</span>
      </div>
      <ThemeSwitch />
      <Button look="quiet" icon="leave" onClick={() => void signOut()}>Sign out</Button>
    </div>
  );
}

/** PageChange names the page in the window's title and moves the focus to its heading, as a page load would. */
function PageChange() {
  const [location] = useLocation();
  const first = useRef(true);
  useEffect(() => {
    const name = location.split("/")[1] || "approvals";
    document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} · Writ`;
    if (first.current) first.current = false;
    else document.getElementById("main")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [location]);
  return null;
}
