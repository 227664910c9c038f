// Bundles every app of this folder and prints them as JSON, name by name. The settings are those of Workers, so that
// packages are taken in the form they ship for them.

import Ajv from "ajv";
import addFormats from "ajv-formats";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import { readdir, readFile } from "node:fs/promises";
import { dirname, parse } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));

/** A schema is compiled here, for no app can make code at run time: importing it gives the function that validates. */
const schemas = {
  name: "schemas",
  setup({ onLoad }) {
    onLoad({ filter: /\.schema\.json$/ }, async ({ path }) => {
      const ajv = addFormats(new Ajv({ allErrors: true, code: { esm: true, source: true } }));
      const validate = ajv.compile(JSON.parse(await readFile(path, "utf8")));
      return { contents: standaloneCode(ajv, validate), resolveDir: folder };
    });
  },
};

const { outputFiles } = await build({
  absWorkingDir: folder,
  entryPoints: (await readdir(folder)).filter((name) => /\.jsx?$/.test(name)),
  outdir: "bundled",
  write: false,
  bundle: true,
  format: "esm",
  platform: "neutral",
  mainFields: ["browser", "module", "main"],
  conditions: ["worker", "browser"],
  jsx: "automatic",
  plugins: [schemas],
});
console.log(JSON.stringify(Object.fromEntries(outputFiles.map(({ path, text }) => [parse(path).name, text]))));
