import { defineConfig } from "vitest/config";
import { precompress } from "./build/precompress.ts";

// `npm run dev` speaks with a gateway on the port that the local runner uses.
const gateway = { target: "http://localhost:8000", ws: true };

export default defineConfig({
  plugins: [precompress()],
  build: {
    target: "es2022",
    // The Content-Security-Policy of the gateway forbids inline scripts and data: fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { include: ["src/**/*.test.ts"] },
  server: { proxy: { "/auth": gateway, "/reports": gateway, "/socket.io": gateway } },
});
