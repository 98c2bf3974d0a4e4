// Bundles the page into ../static, as `make page` does: observer.js, observer.css, index.html and the licences.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const made = fileURLToPath(new URL("../static/", import.meta.url));

const { dependencies } = JSON.parse(await readFile(`${here}package.json`, "utf8"));
const licenceOf = async (name) => {
  const folder = `${here}node_modules/${name}/`;
  const { version, license } = JSON.parse(await readFile(`${folder}package.json`, "utf8"));
  const text = await readFile(`${folder}LICENSE`, "utf8").catch(() => readFile(`${folder}LICENSE.md`, "utf8"));
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
};

await rm(made, { recursive: true, force: true });
await mkdir(made, { recursive: true });
const { warnings } = await build({
  entryPoints: [`${here}observer.js`],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none", // THIRD-PARTY.txt has them whole
  outfile: `${made}observer.js`,
  logLevel: "warning",
});
if (warnings.length) process.exit(1);
const licences = await Promise.all(Object.keys(dependencies).map(licenceOf));
await writeFile(`${made}THIRD-PARTY.txt`, `observer.js holds:\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`);
await copyFile(`${here}index.html`, `${made}index.html`);
