import { defineConfig } from "vite";
import { compress } from "./compress.ts";

// WRIT_CONSOLE_UPSTREAM and WRIT_CONSOLE_TOKEN are for development alone: `npm run dev` then passes calls on to a real
// control plane under that login.
const upstream = process.env.WRIT_CONSOLE_UPSTREAM;
const token = process.env.WRIT_CONSOLE_TOKEN;

const proxy = upstream
  ? {
      "^/(access\\.v1\\.|signin/|signout)": {
        target: upstream,
        changeOrigin: true,
        secure: false,
        headers: token ? { Authorization: `Bearer ${token}` } : undefined,
      },
    }
  : undefined;

export default defineConfig({
  plugins: [compress({ limit: 250_000 })],
  build: {
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    manifest: false,
    reportCompressedSize: false,
    // Libraries mark their files for servers that render; here nothing does.
    rolldownOptions: { onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning) },
  },
  server: { proxy },
  preview: { proxy },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
} as Parameters<typeof defineConfig>[0]);
