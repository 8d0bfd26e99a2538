import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

type Bundle = Rolldown.OutputBundle;

export interface Options {
  /** limit of the first load in bytes, compressed with gzip. Above it the build fails. */
  limit: number;
}

/** compress writes "<name>.br" and "<name>.gz" beside what was built, and holds the size of the first load. */
export function compress({ limit }: Options): Plugin {
  let out = "";
  let first: string[] = [];
  return {
    name: "writ-compress",
    apply: "build",
    configResolved(config) {
      out = join(config.root, config.build.outDir);
    },
    generateBundle(_, bundle) {
      // The folder is emptied at each build; Go needs a file in it that git knows.
      this.emitFile({ type: "asset", fileName: ".keep", source: "" });
      first = firstLoad(bundle);
    },
    closeBundle() {
      for (const file of files(out)) squeeze(file);
      const size = (ending: string) => first.reduce((sum, name) => sum + statSync(join(out, name + ending)).size, 0);
      const [gz, br] = [size(".gz"), size(".br")];
      console.log(`first load: ${kb(gz)} gzip, ${kb(br)} brotli, of at most ${kb(limit)}`);
      if (gz > limit) throw new Error(`the first load of ${kb(gz)} is above ${kb(limit)}: ${first.join(", ")}`);
    },
  };
}

/** firstLoad names what every page needs: the document, the entry with all that it imports, and the style sheets. */
function firstLoad(bundle: Bundle): string[] {
  const names = new Set(["index.html", "theme.js"]);
  const add = (name: string) => {
    const chunk = bundle[name];
    if (names.has(name) || !chunk) return;
    names.add(name);
    if (chunk.type !== "chunk") return;
    chunk.imports.forEach(add);
    const css = (chunk as { viteMetadata?: { importedCss: Set<string> } }).viteMetadata?.importedCss;
    css?.forEach(add);
  };
  for (const chunk of Object.values(bundle)) if (chunk.type === "chunk" && chunk.isEntry) add(chunk.fileName);
  return [...names];
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(html|js|css|svg)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function squeeze(file: string) {
  const text = readFileSync(file);
  writeFileSync(file + ".gz", gzipSync(text, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  writeFileSync(file + ".br", brotliCompressSync(text, { params }));
}

function kb(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
