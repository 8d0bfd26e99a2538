import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Link } from "wouter";
import type { Tone } from "../text/tone";
import { Icon, type IconName } from "./icons";

/** Badge is a status in a word and a colour. */
export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return <span className="badge" data-tone={tone}>{children}</span>;
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: "plain" | "primary" | "danger" | "quiet"; icon?: IconName; busy?: boolean };

export function Button({ look = "plain", icon, busy, children, disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" className="button" data-look={look} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** LinkButton goes somewhere and looks like a button. */
export function LinkButton({ href, look = "plain", children }: { href: string; look?: "plain" | "primary"; children: ReactNode }) {
  return <Link href={href} className="button" data-look={look}>{children}</Link>;
}

/** Page is a page's heading, its actions, and what is below. */
export function Page({ title, lead, actions, children }: { title: ReactNode; lead?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <>
      <header className="page-head">
        <div>
          <h1 tabIndex={-1}>{title}</h1>
          {lead && <p className="lead">{lead}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** Card is a titled section. */
export function Card({ title, actions, children }: { title?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="card">
      {(title || actions) && (
        <header className="card-head">
          {title && <h2>{title}</h2>}
          {actions && <div className="actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Facts is a list of names and values; those without a value are left out. Wide ones stand in two columns. */
export function Facts({ of, wide }: { of: [string, ReactNode][]; wide?: boolean }) {
  const known = of.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return (
    <dl className="facts" data-wide={wide || undefined}>
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Empty says why there is nothing, and what to do. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <p className="empty-title">{title}</p>
      {children && <div className="empty-next">{children}</div>}
    </div>
  );
}

/** Loading holds the place of rows that are on their way. */
export function Loading({ rows = 6, label = "Loading" }: { rows?: number; label?: string }) {
  return (
    <div className="loading" role="status">
      <span className="hidden">{label}</span>
      {Array.from({ length: rows }, (_, i) => <span key={i} className="bone" />)}
    </div>
  );
}

/** Tags lists short words, such as actions or groups. */
export function Tags({ of, none = "none" }: { of: readonly string[]; none?: string }) {
  if (of.length === 0) return <span className="faint">{none}</span>;
  return (
    <ul className="tags">
      {of.map((tag) => <li key={tag}><bdi>{tag}</bdi></li>)}
    </ul>
  );
}
