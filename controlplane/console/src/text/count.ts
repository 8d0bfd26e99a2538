const figures = new Intl.NumberFormat("en");

/** count writes a number with a word that fits it, for example "1 row" or "5,000 rows". */
export function count(n: number, one: string, many = one + "s"): string {
  return `${figures.format(n)} ${n === 1 ? one : many}`;
}

export function rows(n: number): string {
  return count(n, "row");
}

export function number(n: number | bigint): string {
  return figures.format(n);
}

const units = ["B", "kB", "MB", "GB", "TB"];

/** bytes writes a size in the largest unit, for example "1.5 MB". */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${unit > 0 && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}
