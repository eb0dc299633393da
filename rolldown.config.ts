// What is shipped, in `dist`: the program together with its libraries, in a few files for each command. Reading some
// hundred small ones takes a third of what most commands cost.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "rolldown";

/** Licenses ask for their text wherever the code is. */
function licenses(): Plugin {
  return {
    name: "licenses",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
      const packages = new Set(modules.map(packageOf).filter((directory) => directory !== undefined));
      const texts = [...packages].toSorted().map(licenseOf);
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join("\n\n\n") });
    },
  };
}

/** The directory of the library that a module belongs to. */
const packageOf = (module: string): string | undefined =>
  /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(module)?.[0];

function licenseOf(directory: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(directory, "package.json"), "utf8"),
  ) as Record<"name" | "version" | "license", string>;
  const file = readdirSync(directory).find((each) => /^licen[cs]e(?:\.|$)/i.test(each));
  const text =
    file === undefined ? `License: ${license}` : readFileSync(join(directory, file), "utf8").trim();
  return `${name} ${version}\n\n${text}\n`;
}

/**
 * CommonJS: of Node's own modules it takes what is used, when it is used. As ES modules, all that they export is made before
 * the program begins, which takes as long as a quarter of a short command.
 */
const moduleType: Plugin = {
  name: "module-type",
  buildStart() {
    this.emitFile({ type: "asset", fileName: "package.json", source: '{ "type": "commonjs" }\n' });
  },
};

/**
 * What libraries load for what this program does not use. Commander would start the programs of subcommands, and loading that
 * takes as long as commander itself; the Pushgateway of prom-client loads TLS; and undici brings HTTP/2 and `fetch`.
 */
const unusedOf: Readonly<Record<string, RegExp>> = {
  commander: /^node:child_process$/,
  "prom-client": /^\.\/lib\/pushgateway$/,
  undici: /^(?:\.\/client-h2\.js|\.\.\/web\/.+)$/,
};
const unused: Plugin = {
  name: "unused",
  resolveId(id, importer) {
    const library = /\/node_modules\/(?<name>[^/]+)\//.exec(importer ?? "")?.groups?.["name"];
    return unusedOf[library ?? ""]?.test(id) === true ? "\0none" : null;
  },
  load: { filter: { id: /^\0none$/ }, handler: () => "export default undefined;" },
};

/**
 * The NATS client loads TLS for each connection, only to find out whether the connection is encrypted. Node then reads every
 * certificate that the system trusts (`--use-system-ca`), which takes a third of the CPU time of a short command.
 */
const tlsWhenUsed: Plugin = {
  name: "tls-when-used",
  transform: {
    filter: { id: /\/transport-node\/lib\/node_transport\.js$/ },
    handler(code) {
      const later = code
        .replace('const node_tls_1 = require("node:tls");', "")
        .replaceAll("node_tls_1.connect", 'require("node:tls").connect')
        .replace("this.socket instanceof node_tls_1.TLSSocket", "this.socket.encrypted === true");
      if (later.includes("node_tls_1")) throw new Error("NATS' client uses TLS in another way now");
      return later;
    },
  },
};

/** Scripts and styles are sent to browsers as they are written. */
function assets(directory: string): Plugin {
  return {
    name: "assets",
    buildStart() {
      for (const name of readdirSync(join("src", directory)).filter((each) => /\.(?:js|css)$/.test(each))) {
        const fileName = join(directory, name);
        this.emitFile({ type: "asset", fileName, source: readFileSync(join("src", fileName), "utf8") });
      }
    },
  };
}

export default defineConfig({
  // The worker is a file of its own.
  input: Object.fromEntries(
    ["cli/main", "dashboard/log/search-worker"].map((name) => [name, join("src", `${name}.ts`)]),
  ),
  platform: "node",
  output: {
    dir: "dist",
    format: "cjs",
    cleanDir: true,
    entryFileNames: "[name].js",
    // Beside the program: from there `import.meta.dirname` leads to the same places as from a folder of the sources.
    chunkFileNames: "cli/[name]-[hash].js",
  },
  // Modules that some commands load late and others at once.
  checks: { ineffectiveDynamicImport: false },
  plugins: [moduleType, unused, tlsWhenUsed, licenses(), assets("dashboard/assets")],
});
