// Values as Nix writes them.

export type NixValue =
  | string
  | number
  | boolean
  | readonly NixValue[]
  | { readonly [name: string]: NixValue | undefined };

/** A plain value as an expression; fields without a value are left out. */
export function nixText(value: NixValue, indent = ""): string {
  const inner = `${indent}  `;
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) {
    if (value.length === 0) return "[ ]";
    return ["[", ...value.map((each) => `${inner}${nixText(each, inner)}`), `${indent}]`].join("\n");
  }
  const fields = Object.entries(value).flatMap(([name, field]) =>
    field === undefined ? [] : [`${inner}${attribute(name)} = ${nixText(field, inner)};`],
  );
  return fields.length === 0 ? "{ }" : ["{", ...fields, `${indent}}`].join("\n");
}

const isList = (value: object): value is readonly NixValue[] => Array.isArray(value);

/** `${` begins an expression in a text of Nix. */
const quoted = (text: string): string =>
  `"${text
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .replaceAll("${", "\\${")
    .replaceAll("\n", "\\n")}"`;

const keywords = new Set(["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"]);
const attribute = (name: string): string =>
  /^[A-Za-z_][A-Za-z0-9_'-]*$/.test(name) && !keywords.has(name) ? name : quoted(name);
