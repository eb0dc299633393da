// docs/reference/module-options.md, made from the declarations in nix/modules. `npm run docs` runs this file.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

const root = join(import.meta.dirname, "../..");

const Options = v.array(
  v.object({
    name: v.string(),
    type: v.string(),
    description: v.string(),
    default: v.optional(v.union([v.object({ expression: v.string() }), v.object({ value: v.unknown() })])),
    example: v.optional(v.unknown()),
  }),
);
export type ModuleOption = v.InferOutput<typeof Options>[number];

export function moduleOptions(environment: NodeJS.ProcessEnv = process.env): readonly ModuleOption[] {
  const args = ["--eval", "--strict", "--json", join(root, "nix/options.nix")];
  return v.parse(
    Options,
    JSON.parse(execFileSync("nix-instantiate", args, { encoding: "utf8", env: environment })),
  );
}

const parts = {
  "services.homelab-deploy.package": "Everywhere",
  "services.homelab-deploy.builder": "The builder",
  "services.homelab-deploy.update": "The update",
  "services.homelab-deploy.cacheHost": "The cache host",
  "services.homelab-deploy.listener": "A host that is deployed to",
  "services.homelab-deploy.dashboard": "The dashboard",
  "services.homelab-deploy.deployer": "The deployer",
  "services.homelab-deploy.natsServer": "The NATS server",
} as const;

export function moduleOptionsPage(options: readonly ModuleOption[]): string {
  const sections = Object.entries(parts).flatMap(([prefix, title]) => [
    `## ${title}`,
    ...options.filter(({ name }) => name === prefix || name.startsWith(`${prefix}.`)).map(entry),
  ]);
  return `${[
    "# Options of the NixOS modules",
    "<!-- Made from nix/modules by `npm run docs`; change them there. -->",
    "**For:** operators on NixOS: every option of the modules. [NixOS](../guides/nixos.md) explains how to use them, and [configuration](configuration.md) lists what `settings` can contain.",
    ...sections,
  ].join("\n\n")}\n`;
}

function entry({ name, type, description, default: fallback, example }: ModuleOption): string {
  const paragraphs = [
    `### \`${name}\``,
    description.trim().replaceAll(/\n+/g, "\n"),
    `Type: ${type}. ${fallback === undefined ? "It has no default." : `Default: ${code("expression" in fallback ? fallback.expression : inNix(fallback.value))}.`}`,
  ];
  if (example !== undefined) paragraphs.push(`\`\`\`nix\n${name} = ${inNix(example)};\n\`\`\``);
  return paragraphs.join("\n\n");
}

const code = (text: string): string => (text.includes("`") ? text : `\`${text}\``);

/** A value as one writes it in Nix; sets that are not empty over several lines. */
function inNix(value: unknown, indent = ""): string {
  if (Array.isArray(value))
    return value.length === 0 ? "[ ]" : `[ ${value.map((each) => inNix(each)).join(" ")} ]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(
    ([name, each]) =>
      `${inner}${/^[A-Za-z_][\w-]*$/.test(name) ? name : JSON.stringify(name)} = ${inNix(each, inner)};\n`,
  );
  return lines.length === 0 ? "{ }" : `{\n${lines.join("")}${indent}}`;
}

if (import.meta.main)
  writeFileSync(join(root, "docs/reference/module-options.md"), moduleOptionsPage(moduleOptions()));
