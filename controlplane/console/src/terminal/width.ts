const zero = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const wide = /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])$/u;

/** width is how many cells of a terminal a character takes: 0 for one that joins the character before it. */
export function width(char: string): 0 | 1 | 2 {
  if (char < "\u0300") return 1;
  if (zero.test(char)) return 0;
  return wide.test(char) ? 2 : 1;
}
