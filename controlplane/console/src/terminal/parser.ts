/** Control is a control sequence, ESC [ private parameters intermediates final. */
export interface Control {
  final: string;
  /** private is "?", ">", "<", "=" or empty. */
  private: string;
  intermediates: string;
  /** params are numbers, each followed by those that colons add. A missing one is 0. */
  params: number[][];
}

/** Actions is what a parser calls. What it does not call does nothing: titles, the clipboard, questions. */
export interface Actions {
  print(char: string): void;
  /** execute is for C0 controls. */
  execute(code: number): void;
  /** escape is ESC intermediates final. */
  escape(intermediates: string, final: string): void;
  control(sequence: Control): void;
}

type State = "ground" | "escape" | "control" | "text" | "textEscape";

const longest = 128; // characters of a sequence
const longestText = 4096;

/** Parser tells text from controls (ECMA-48), wherever a sequence is split. */
export class Parser {
  private state: State = "ground";
  private seq = "";
  private skipped = 0;

  constructor(private readonly actions: Actions) {}

  parse(text: string) {
    for (const char of text) this.next(char, char.codePointAt(0)!);
  }

  private next(char: string, code: number) {
    switch (this.state) {
      case "ground":
        return this.ground(char, code);
      case "escape":
        return this.escape(char, code);
      case "control":
        return this.control(char, code);
      case "text":
        return this.text(code);
      case "textEscape":
        this.state = "ground";
        return char === "\\" ? undefined : this.begin(char, code);
    }
  }

  private ground(char: string, code: number) {
    if (code === 0x1b) this.state = "escape", (this.seq = "");
    else if (code < 0x20) this.actions.execute(code);
    else if (code < 0x7f || code > 0x9f) this.actions.print(char);
  }

  /** begin is what comes after an ESC that ended a text. */
  private begin(char: string, code: number) {
    this.seq = "";
    this.escape(char, code);
  }

  private escape(char: string, code: number) {
    if (code >= 0x20 && code <= 0x2f && this.seq.length < longest) {
      this.state = "escape";
      this.seq += char;
    } else if (this.seq === "" && char === "[") {
      this.state = "control";
    } else if (this.seq === "" && "]PX^_".includes(char)) {
      this.state = "text";
      this.skipped = 0;
    } else {
      this.state = "ground";
      if (code < 0x20) this.ground(char, code);
      else if (code < 0x7f) this.actions.escape(this.seq, char);
    }
  }

  private control(char: string, code: number) {
    if (code >= 0x40 && code <= 0x7e) {
      this.state = "ground";
      const sequence = read(this.seq, char);
      if (sequence) this.actions.control(sequence);
    } else if (code === 0x1b || code === 0x18 || code === 0x1a || code > 0x7e || this.seq.length >= longest) {
      this.state = "ground";
      if (code === 0x1b) this.ground(char, code);
    } else if (code < 0x20) this.actions.execute(code);
    else this.seq += char;
  }

  private text(code: number) {
    if (code === 0x1b) this.state = "textEscape";
    else if (code === 0x07 || code === 0x9c || code === 0x18 || ++this.skipped > longestText) this.state = "ground";
  }
}

const form = /^([<-?]?)([\d;:]*)([ -/]*)$/;

function read(seq: string, final: string): Control | undefined {
  const [, priv, params, intermediates] = form.exec(seq) ?? [];
  if (params === undefined) return undefined;
  const numbers = params === "" ? [] : params.split(";").slice(0, 32).map((p) => p.split(":").map((n) => Math.min(Number(n), 9999)));
  return { final, private: priv!, intermediates: intermediates!, params: numbers };
}
