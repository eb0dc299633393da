// What must hold for the files of infra/tofu, so that a mistake is found before OpenTofu meets a Proxmox.
import {
  isLiteral,
  isObject,
  isText,
  parseTofuFile,
  type Entry,
  type Hcl,
  type HclObject,
  type Refusal,
  type TofuDocument,
  type TofuFile,
} from "./tofu-files.ts";
import { checkVmTable } from "./vm-table-rules.ts";

/** Everything that is wrong, by file and line. */
export async function checkTofu(files: readonly TofuFile[]): Promise<readonly Refusal[]> {
  const parsed = await Promise.all(files.map(parseTofuFile));
  const broken = parsed.flatMap((each) => ("rule" in each ? [each] : []));
  if (broken.length > 0) return broken;
  const documents = parsed.flatMap((each) => ("rule" in each ? [] : [each]));
  const refusals = [
    ...documents.flatMap(checkDuplicates),
    ...checkVmTable(documents),
    ...checkProviders(documents),
    ...documents.flatMap(checkVmResources),
    ...documents.flatMap(checkSecrets),
    ...checkVariables(documents),
    ...checkModuleCalls(documents),
    ...checkExampleValues(documents),
  ];
  return refusals.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

const refuse = (rule: string, { file, line }: Entry, message: string): Refusal => ({
  rule,
  file,
  line,
  message,
});

function checkDuplicates({ duplicates }: TofuDocument): readonly Refusal[] {
  return duplicates.map((entry) =>
    refuse(
      "unique-names",
      entry,
      `${entry.path.at(-1)} is given twice, and OpenTofu silently takes the last`,
    ),
  );
}

/** Blocks of a kind with what they are called: `resource`, `variable`, `module`. */
function blocksOf(document: TofuDocument, kind: string, labels: number): readonly Entry[] {
  return document.entries.filter(({ path }) => path[0] === kind && path.length === labels + 2);
}

const attributeOf = (block: Entry, name: string): Hcl | undefined =>
  isObject(block.value) ? block.value[name] : undefined;
const entryOf = (document: TofuDocument, block: Entry, ...steps: (string | number)[]): Entry | undefined =>
  document.entries.find(({ path }) => JSON.stringify(path) === JSON.stringify([...block.path, ...steps]));

function checkProviders(documents: readonly TofuDocument[]): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const pinned = documents.flatMap((document) =>
    document.entries
      .filter(({ path }) => path[0] === "terraform" && path[2] === "required_providers" && path.length === 5)
      .map((entry) => ({ document, entry, provider: String(entry.path[4]) })),
  );
  for (const { document, entry } of pinned) {
    const { version, source } = isObject(entry.value) ? entry.value : {};
    const place =
      document.entries.find(({ path }) => path.at(-1) === "version" && path[4] === entry.path[4]) ?? entry;
    if (!isText(version) || !/^~> \d+\.\d+\.\d+$/.test(version)) {
      refusals.push(refuse("pinned-provider", place, "a provider is pinned to patch releases: ~> 0.111.1"));
    }
    if (!isText(source) || !/^[\w-]+\/[\w-]+$/.test(source)) {
      refusals.push(refuse("pinned-provider", entry, "a provider has a source: bpg/proxmox"));
    }
  }
  for (const document of documents) {
    for (const resource of [...blocksOf(document, "resource", 2), ...blocksOf(document, "data", 2)]) {
      const provider = String(resource.path[1]).split("_")[0];
      if (pinned.some((each) => each.provider === provider && each.document.module === document.module))
        continue;
      refusals.push(refuse("pinned-provider", resource, `this module pins no provider ${provider}`));
    }
  }
  return refusals;
}

/** What the provider does unless it is told otherwise, and what a host must never meet. */
const literalsOfVm: Readonly<Record<string, boolean>> = {
  protection: true,
  migrate: true,
  reboot_after_update: false,
  delete_unreferenced_disks_on_destroy: false,
  purge_on_destroy: false,
};

function checkVmResources(document: TofuDocument): readonly Refusal[] {
  const refusals: Refusal[] = [];
  for (const resource of blocksOf(document, "resource", 2)) {
    if (["proxmox_vm", "proxmox_virtual_environment_vm2"].includes(String(resource.path[1]))) {
      refusals.push(
        refuse("vm-resource", resource, "the provider says that this resource is not for production"),
      );
    }
    if (resource.path[1] !== "proxmox_virtual_environment_vm") continue;
    const preventDestroy = entryOf(document, resource, "lifecycle", 0, "prevent_destroy");
    if (preventDestroy?.value !== true) {
      const place = preventDestroy ?? entryOf(document, resource, "lifecycle", 0) ?? resource;
      refusals.push(refuse("prevent-destroy", place, "lifecycle.prevent_destroy must be the literal true"));
    }
    for (const [name, wanted] of Object.entries(literalsOfVm)) {
      if (attributeOf(resource, name) === wanted) continue;
      const place = entryOf(document, resource, name) ?? resource;
      refusals.push(refuse("dangerous-default", place, `${name} must be the literal ${wanted}`));
    }
    const agent = entryOf(document, resource, "agent", 0, "enabled");
    if (agent?.value === true) {
      refusals.push(
        refuse(
          "dangerous-default",
          agent,
          "an agent that does not run yet blocks every plan: use a variable",
        ),
      );
    }
  }
  return refusals;
}

/** Seeds of NATS and age, tokens of Vault, forges and Proxmox, private keys, and long random texts. */
const secretPatterns: readonly RegExp[] = [
  /\bS[UAOCNX][A-Z2-7]{56}\b/,
  /AGE-SECRET-KEY-/,
  /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}/,
  /\bgh[pousr]_[A-Za-z0-9]{36}/,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
  /![\w-]+=[0-9a-f]{8}-[0-9a-f]{4}-/i,
  /\/\/[^/\s:@]+:[^/\s@]+@/,
  /\b[0-9a-f]{40,}\b/i,
];
const secretNames = /(?:^|_)(?:passwords?|passphrase|secrets?|tokens?|private_keys?|secret_ids?|api_keys?)$/;

function checkSecrets(document: TofuDocument): readonly Refusal[] {
  return document.entries.flatMap((entry) => {
    const { path, value } = entry;
    const name = String(path.at(-1));
    if (path[0] === "variable" && path.length === 3 && secretNames.test(String(path[1]))) {
      if (!isObject(value) || value["sensitive"] !== true) {
        return [refuse("no-secrets", entry, `variable ${path[1]} must be sensitive`)];
      }
      const fallback = value["default"];
      const isEmpty =
        fallback === undefined ||
        fallback === null ||
        (isObject(fallback) && Object.keys(fallback).length === 0);
      return isEmpty ? [] : [refuse("no-secrets", entry, `variable ${path[1]} must have no value here`)];
    }
    if (!isText(value) || value === "") return [];
    if (secretPatterns.some((pattern) => pattern.test(value))) {
      return [refuse("no-secrets", entry, `${name} looks like a secret`)];
    }
    // What a description or an error says of a secret is none.
    const isNamed = secretNames.test(name) && isLiteral(value);
    return isNamed
      ? [refuse("no-secrets", entry, `${name} is a literal: a secret comes from the environment`)]
      : [];
  });
}

/** Per module: what is declared is used, and what is used is declared. */
function checkVariables(documents: readonly TofuDocument[]): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const code = documents.filter(({ file }) => file.endsWith(".tf"));
  for (const module of new Set(code.map((document) => document.module))) {
    const own = code.filter((document) => document.module === module);
    const declared = new Map<string, Entry>();
    for (const document of own) {
      for (const block of blocksOf(document, "variable", 1)) declared.set(`var.${block.path[1]}`, block);
      for (const entry of document.entries) {
        if (entry.path[0] === "locals" && entry.path.length === 3)
          declared.set(`local.${entry.path[2]}`, entry);
      }
    }
    const used = new Set<string>();
    for (const entry of own.flatMap(({ entries }) => entries)) {
      for (const name of namesIn(entry)) {
        // A variable that only its own validation mentions is not used.
        const isOwn = entry.path[0] === "variable" && name === `var.${entry.path[1]}`;
        if (!isOwn) used.add(name);
        if (!declared.has(name)) refusals.push(refuse("declared", entry, `${name} is not declared`));
      }
    }
    for (const [name, entry] of declared) {
      if (!used.has(name)) refusals.push(refuse("used", entry, `${name} is declared and not used`));
    }
  }
  return refusals;
}

/**
 * The variables and locals that an expression reads: `var.ip`, `local.vms`. Not by hcl2json, whose references leave
 * out those inside of a `for`.
 */
function namesIn({ value }: Entry): readonly string[] {
  if (!isText(value) || isLiteral(value)) return [];
  return [...value.matchAll(/(?<![\w.-])(?:var|local)\.[A-Za-z_][\w-]*/g)].map(([name]) => name);
}

/** What a module of ours is called with is what it declares, and nothing that it needs is missing. */
function checkModuleCalls(documents: readonly TofuDocument[]): readonly Refusal[] {
  const ofCall = new Set(["source", "version", "for_each", "count", "providers", "depends_on"]);
  return documents.flatMap((document) =>
    blocksOf(document, "module", 1).flatMap((call) => {
      const source = attributeOf(call, "source");
      const module = isText(source) ? source.replace(/^\.\//, "") : "";
      const variables = variablesOf(documents, module);
      if (variables.size === 0) return [refuse("module-call", call, `there is no module ${module}`)];
      const given = Object.keys(isObject(call.value) ? call.value : {}).filter((name) => !ofCall.has(name));
      return [
        ...given
          .filter((name) => !variables.has(name))
          .map((name) =>
            refuse("module-call", entryOf(document, call, name) ?? call, `the module has no ${name}`),
          ),
        ...missing(variables, given).map((name) => refuse("module-call", call, `${name} is missing`)),
      ];
    }),
  );
}

/** The example of the variables' values names what there is, and all that must be given; secrets are not among them. */
function checkExampleValues(documents: readonly TofuDocument[]): readonly Refusal[] {
  const variables = variablesOf(documents, ".");
  return documents
    .filter(({ file }) => file.endsWith(".tfvars.example"))
    .flatMap(({ file, entries }) => {
      const given = entries.filter(({ path }) => path.length === 1);
      const names = given.map(({ path }) => String(path[0]));
      const open = missing(variables, names).filter((name) => variables.get(name)?.["sensitive"] !== true);
      return [
        ...given
          .filter(({ path }) => !variables.has(String(path[0])))
          .map((entry) => refuse("example-values", entry, `there is no variable ${entry.path[0]}`)),
        ...open.map((name) => ({ rule: "example-values", file, line: 1, message: `${name} is missing` })),
      ];
    });
}

function variablesOf(documents: readonly TofuDocument[], module: string): ReadonlyMap<string, HclObject> {
  const blocks = documents
    .filter((document) => document.module === module)
    .flatMap((document) => blocksOf(document, "variable", 1));
  return new Map(blocks.map(({ path, value }) => [String(path[1]), isObject(value) ? value : {}]));
}

const missing = (variables: ReadonlyMap<string, HclObject>, given: readonly string[]): readonly string[] =>
  [...variables].flatMap(([name, variable]) =>
    !("default" in variable) && !given.includes(name) ? [name] : [],
  );
