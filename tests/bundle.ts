/**
 * Bundles tsecho into .bundle/, whose files start in half the time of the sources': `deno task test` starts hundreds of
 * processes. A run of single files takes the sources themselves.
 */
const FOLDER = ".bundle";

await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["bundle", "--quiet", "--platform", "deno", "--code-splitting", "--outdir", FOLDER],
    ...["main.ts", "load/thread.ts"],
  ],
}).spawn().status;
// threads.ts finds its module beside itself, and all that it is bundled into stands at the top.
if (code === 0) await Deno.writeTextFile(`${FOLDER}/thread.ts`, 'import "./load/thread.js";\n');
Deno.exit(code);
