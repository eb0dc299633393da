// docs/reference/configuration.md, made from the schema: what is written there is what is checked.
import { configJsonSchema, type JsonSchema } from "./json-schema.ts";

/** A whole configuration, as an example. A test checks that it is one. */
export const exampleConfig = {
  nats: {
    servers: ["tls://nats.lan:4222"],
    nkeyFile: "$CREDENTIALS_DIRECTORY/nats.nk",
    inboxPrefix: "_INBOX_builder-cache01",
  },
  repos: {
    "nixos-servers": {
      url: "https://git.lan/infra/nixos-servers.git",
      credentials: { username: "builder", tokenFile: "$CREDENTIALS_DIRECTORY/git-token" },
      exclude: ["*-test"],
    },
    nixos: {
      url: "ssh://git@git.lan/me/nixos.git",
      branch: "main",
      directory: "hosts",
      pollSeconds: 300,
      credentials: {
        sshKeyFile: "$CREDENTIALS_DIRECTORY/deploy-key",
        knownHostsFile: "/etc/homelab-deploy/known_hosts",
      },
    },
  },
  inputs: {
    credentials: {
      "git.lan": { username: "builder", tokenFile: "$CREDENTIALS_DIRECTORY/git-token" },
    },
  },
  builder: {
    name: "cache01",
    evaluation: { workers: 4, maxMemoryMiB: 4096 },
    build: { timeoutSeconds: 14_400 },
  },
  metrics: { listen: "127.0.0.1:9480" },
};

const introduction = `# Configuration

<!-- Made from the schemas in src/config by \`npm run docs\`; change it there. -->

**For:** operators: every setting with its default.

Builder and command line share one JSON file. The command line needs only a few settings:
often just the NATS servers.

- \`homelab-deploy config check FILE\` reports every error in a file at once. Unknown keys are errors.
- \`homelab-deploy config schema\` prints the JSON schema, for editors and checkers.
- The file contains no secrets. A setting that ends in \`File\` is the path of a file, read when it is needed;
  \`$CREDENTIALS_DIRECTORY/name\` is a systemd credential.
`;

interface Section {
  /** `repos.<name>.update`; empty for the whole file. */
  readonly path: string;
  readonly schema: JsonSchema;
}

/** Every object of the configuration, in the schema's order. */
export const configSections = (): readonly Section[] => sectionsOf({ path: "", schema: configJsonSchema() });

/** The text of docs/reference/configuration.md. */
export function configurationMarkdown(): string {
  const example = `## Example\n\n\`\`\`json\n${JSON.stringify(exampleConfig, undefined, 2)}\n\`\`\``;
  return `${[introduction.trim(), example, ...configSections().map(renderSection)].join("\n\n")}\n`;
}

/** A section and all that are in it, in the schema's order. */
function sectionsOf(section: Section): Section[] {
  const inner = Object.entries(section.schema.properties ?? {}).flatMap(([name, schema]): Section[] => {
    const path = section.path === "" ? name : `${section.path}.${name}`;
    if (schema.properties !== undefined) return sectionsOf({ path, schema });
    if (schema.items?.properties !== undefined)
      return sectionsOf({ path: `${path}[]`, schema: schema.items });
    const record = recordOf(schema);
    return record?.properties === undefined ? [] : sectionsOf({ path: `${path}.<name>`, schema: record });
  });
  return [section, ...inner];
}

function renderSection({ path, schema }: Section): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const key = path === "" ? name : `${path}.${name}`;
    const isRequired = schema.required?.includes(name) === true;
    return `| \`${name}\` | ${typeOf(property, key)} | ${defaultOf(property, isRequired)} | ${property.description ?? ""} |`;
  });
  const heading = path === "" ? "## Settings" : `## \`${path}\``;
  const description = schema.description === undefined ? [] : [schema.description, ""];
  return [
    heading,
    "",
    ...description,
    "| name | type | default | meaning |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function recordOf({ additionalProperties }: JsonSchema): JsonSchema | undefined {
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

/** The type in words; objects link to their section. */
function typeOf(schema: JsonSchema, path: string): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((each) => typeOf(each, path)).join(" or ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.properties !== undefined) return `[object](#${anchorOf(path)})`;
  const record = recordOf(schema);
  if (record !== undefined && record.properties === undefined) return `${typeOf(record, path)}s by name`;
  if (record !== undefined) return `[object by name](#${anchorOf(`${path}.<name>`)})`;
  if (schema.items?.properties !== undefined) return `[list of objects](#${anchorOf(`${path}[]`)})`;
  if (schema.items !== undefined) return `list of ${typeOf(schema.items, path)}s`;
  const { minimum, maximum } = schema;
  const range = minimum === undefined || maximum === undefined ? "" : `, ${minimum} to ${maximum}`;
  return `${schema.type ?? "anything"}${range}`;
}

/** What GitHub and Gitea make of a heading: lower case, without punctuation. */
const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^a-z0-9 _-]/g, "");

function defaultOf(schema: JsonSchema, isRequired: boolean): string {
  if (isRequired) return "required";
  if (schema.default === undefined || schema.properties !== undefined || recordOf(schema) !== undefined)
    return "";
  return `\`${JSON.stringify(schema.default)}\``;
}
