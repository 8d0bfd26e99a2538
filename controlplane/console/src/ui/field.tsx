import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from "react";

interface Named {
  label: string;
  hint?: ReactNode;
  error?: string;
}

/** Field is an input with its label, a hint and, where it is wrong, what is wrong. */
export function Field({ label, hint, error, ...input }: Named & InputHTMLAttributes<HTMLInputElement>) {
  return <Labelled {...{ label, hint, error }}>{(ids) => <input className="input" {...ids} {...input} />}</Labelled>;
}

export function Area({ label, hint, error, ...input }: Named & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <Labelled {...{ label, hint, error }}>{(ids) => <textarea className="input" rows={3} {...ids} {...input} />}</Labelled>;
}

export function Select({ label, hint, error, options, ...input }: Named & { options: [string, string][] } & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Labelled {...{ label, hint, error }}>
      {(ids) => (
        <select className="input" {...ids} {...input}>
          {options.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
        </select>
      )}
    </Labelled>
  );
}

type IDs = { id: string; "aria-describedby"?: string; "aria-invalid"?: true };

function Labelled({ label, hint, error, children }: Named & { children: (ids: IDs) => ReactNode }) {
  const id = useId();
  const told = error ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": told ? `${id}-told` : undefined, "aria-invalid": error ? true : undefined })}
      {told && <p id={`${id}-told`} className={error ? "field-error" : "field-hint"}>{told}</p>}
    </div>
  );
}

/** Check is a box to tick. */
export function Check({ label, checked, onChange }: { label: ReactNode; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(e) => onChange(e.target.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** Choice is a few things of which one is chosen. */
export function Choice<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  return (
    <div className="choice" role="group" aria-label={label}>
      {options.map(([option, name]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => onChange(option)}>{name}</button>
      ))}
    </div>
  );
}
