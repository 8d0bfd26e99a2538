import { defineConfig } from "vite";

/** The pages against a control plane that is faked in the page, for a browser to be tested with. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: "../../public",
  build: {
    outDir: "../../../../build/console-pages",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning) },
  },
});
