import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { cedar, yaml, type Stream } from "../../text/cedar";
import { locate, type Spot } from "../../text/diagnostics";
import { theme } from "./theme";

interface Props {
  path: string;
  text: string;
  readOnly: boolean;
  spots: readonly Spot[];
  /** goal is a spot to go to; a new object goes there again. */
  goal: Spot | null;
  onChange: (text: string) => void;
}

/**
 * Editor edits one file. It lives in a shadow tree: there its styles are adopted style sheets, which a strict
 * Content-Security-Policy permits, where style elements are not.
 */
export default function Editor({ path, text, readOnly, spots, goal, onChange }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const change = useRef(onChange);
  change.current = onChange;
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const made = new EditorView({ root, parent: root, state: state(path, text, readOnly, (now) => change.current(now)) });
    view.current = made;
    return () => made.destroy();
    // The text of an open file changes from here alone, or is replaced below.
  }, [path, readOnly]);
  useEffect(() => {
    const now = view.current!.state.doc.toString();
    if (now !== text) view.current!.dispatch({ changes: { from: 0, to: now.length, insert: text } });
  }, [path, readOnly, text]);
  useEffect(() => {
    const { state } = view.current!;
    view.current!.dispatch(setDiagnostics(state, spots.map((spot) => diagnostic(state.doc.toString(), spot))));
  }, [path, readOnly, spots]);
  useEffect(() => {
    if (!goal) return;
    const { from } = locate(view.current!.state.doc.toString(), goal);
    view.current!.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
    view.current!.focus();
  }, [path, goal]);
  return <div ref={host} className="editor" />;
}

function diagnostic(text: string, spot: Spot): Diagnostic {
  return { ...locate(text, spot), severity: "error", message: spot.hint ? `${spot.message}\n${spot.hint}` : spot.message };
}

function state(path: string, doc: string, readOnly: boolean, onChange: (text: string) => void): EditorState {
  return EditorState.create({
    doc,
    extensions: [
      lineNumbers(), lintGutter(), history(), drawSelection(), highlightSpecialChars(), highlightActiveLine(), bracketMatching(), indentOnInput(),
      highlightSelectionMatches(), EditorView.lineWrapping, language(path), syntaxHighlighting(colours), theme,
      // Tab leaves the editor, as it leaves any field; Ctrl or Command ] and [ indent.
      keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
      EditorState.readOnly.of(readOnly),
      EditorView.contentAttributes.of({ tabindex: "0", "aria-label": `Text of ${path}`, spellcheck: "false", autocapitalize: "off" }),
      EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
    ],
  });
}

const names = {
  comment: tags.comment, annotation: tags.annotation, string: tags.string, keyword: tags.keyword, variable: tags.variableName,
  type: tags.typeName, name: tags.name, number: tags.number, operator: tags.operator, punctuation: tags.punctuation,
};

function language(path: string): Extension {
  const token: (stream: Stream) => string | null = path.endsWith(".cedar") ? cedar : yaml;
  const comment = path.endsWith(".cedar") ? "//" : "#";
  return StreamLanguage.define({ token, tokenTable: names, languageData: { commentTokens: { line: comment } } });
}

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: tags.annotation, color: "var(--warn)" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.variableName, color: "var(--info)" },
  { tag: tags.typeName, color: "var(--bad)" },
  { tag: tags.number, color: "var(--warn)" },
  { tag: [tags.operator, tags.punctuation], color: "var(--soft)" },
]);
