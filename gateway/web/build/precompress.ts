// Writes file.br and file.gz next to every built text file, so that the gateway compresses
// nothing while it runs. config.json is left alone: an operator may replace it.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(html|js|css|svg|webmanifest)$/;

export function precompress(): Plugin {
  let outDir = "dist";
  return {
    name: "precompress",
    apply: "build",
    configResolved: (config) => {
      outDir = join(config.root, config.build.outDir);
    },
    closeBundle: async () => {
      for (const name of await readdir(outDir, { recursive: true })) {
        const path = join(outDir, name);
        if (TEXT.test(name) && (await stat(path)).isFile()) await compress(path);
      }
    },
  };
}

async function compress(path: string): Promise<void> {
  const raw = await readFile(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length };
  await writeFile(`${path}.br`, brotliCompressSync(raw, { params }));
  await writeFile(`${path}.gz`, gzipSync(raw, { level: 9 }));
}
