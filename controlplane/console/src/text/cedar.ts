/** Stream is what a tokenizer reads from: CodeMirror's StringStream, or a stand-in of a test. */
export interface Stream {
  match(pattern: RegExp): unknown;
  next(): string | void;
  skipToEnd(): void;
}

const keywords = /^(permit|forbid|when|unless|if|then|else|in|is|has|like|true|false)\b/;
const variables = /^(principal|action|resource|context)\b/;

/** cedar names the next token of a policy in Cedar (docs.cedarpolicy.com, "Grammar"); null is white space. */
export function cedar(stream: Stream): string | null {
  if (stream.match(/^\s+/)) return null;
  if (stream.match(/^\/\//)) return stream.skipToEnd(), "comment";
  if (stream.match(/^@[A-Za-z_]\w*/)) return "annotation";
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
  if (stream.match(keywords)) return "keyword";
  if (stream.match(variables)) return "variable";
  if (stream.match(/^[A-Za-z_]\w*(?=\s*::)/)) return "type";
  if (stream.match(/^[A-Za-z_]\w*/)) return "name";
  if (stream.match(/^\d+/)) return "number";
  if (stream.match(/^(::|==|!=|<=|>=|&&|\|\||[<>!+*-])/)) return "operator";
  stream.next();
  return "punctuation";
}

/** yaml names the next token of a file of tests; it knows as much of YAML as tests are written in. */
export function yaml(stream: Stream): string | null {
  if (stream.match(/^\s+/)) return null;
  if (stream.match(/^#/)) return stream.skipToEnd(), "comment";
  if (stream.match(/^(?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)/)) return "string";
  if (stream.match(/^[A-Za-z_][\w-]*(?=\s*:(?:\s|$))/)) return "variable";
  if (stream.match(/^(true|false|null|allow|deny|hold|mask|reveal)\b/)) return "keyword";
  if (stream.match(/^\d+(\.\d+)?\b/)) return "number";
  if (stream.match(/^[^\s,:{}[\]#"']+/)) return "name";
  stream.next();
  return "punctuation";
}
