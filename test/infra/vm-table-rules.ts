// Rules for the table of VMs: `vms` and `network` in the `locals` of the root module.
import { parseAddress, parseNetwork } from "./network.ts";
import { isObject, isText, type Entry, type Hcl, type Refusal, type TofuDocument } from "./tofu-files.ts";

interface Vm {
  readonly name: string;
  readonly entry: Entry;
  /** The entry of an attribute, or that of the VM with undefined when it does not say. */
  attribute(name: string): Entry | undefined;
}

/** What a VM may say of itself, and what is wrong with it. */
const attributeRules: Readonly<Record<string, (value: Hcl) => string | undefined>> = {
  ip: (value) => problem(isText(value) && parseNetwork(value) !== undefined, "an address like 10.0.0.5/24"),
  cpu_cores: (value) => problem(isWhole(value, 1, 64), "from 1 to 64 cores"),
  memory: (value) => problem(isWhole(value, 1024, 262_144), "from 1024 to 262144 MiB"),
  disk_size: (value) => problem(isSize(value, 10, 2048), "from 10G to 2048G"),
  nix_disk_size: (value) => problem(value === null || isSize(value, 50, 8192), "from 50G to 8192G"),
  vm_id: (value) => problem(value === null || isWhole(value, 100, 999_999_999), "from 100, or null"),
  node_name: (value) => problem(value === null || isText(value), "a name, or null"),
  flake_branch: (value) => problem(isText(value) && value !== "", "a branch"),
  vault_role_id: (value) => problem(value === null || isText(value), "an identifier, or null"),
  guest_agent: (value) => problem(typeof value === "boolean", "true or false"),
  tags: (value) => problem(Array.isArray(value) && isSorted(value), "a sorted list, each once"),
};
const required = ["ip", "cpu_cores", "memory", "disk_size"];

export function checkVmTable(documents: readonly TofuDocument[]): readonly Refusal[] {
  const root = documents.filter(({ module }) => module === ".").flatMap(({ entries }) => entries);
  const table = root.find(({ path }) => path.length === 3 && path[0] === "locals" && path[2] === "vms");
  if (table === undefined || !isObject(table.value) || Object.keys(table.value).length === 0) {
    return [
      {
        rule: "vm-table",
        file: table?.file ?? "vms.tf",
        line: table?.line ?? 1,
        message: "there are no VMs",
      },
    ];
  }
  const vms = Object.keys(table.value).map((name): Vm => {
    const inside = root.filter(
      ({ path }) => table.path.every((step, i) => path[i] === step) && path[3] === name,
    );
    const entry = inside[0] ?? table;
    return {
      name,
      entry,
      attribute: (attribute) => inside.find(({ path }) => path.length === 5 && path[4] === attribute),
    };
  });
  return [
    ...vms.flatMap(checkVm),
    ...checkUnique(vms, "ip", "unique-address", addressOf),
    ...checkUnique(vms, "vm_id", "unique-vm-id", (value) =>
      typeof value === "number" ? `${value}` : undefined,
    ),
    ...checkAddresses(vms, root),
  ];
}

function checkVm(vm: Vm): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const refuse = (rule: string, { file, line }: Entry, message: string): void => {
    refusals.push({ rule, file, line, message: `${vm.name}: ${message}` });
  };
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(vm.name)) {
    refuse("vm-name", vm.entry, "no host name: small letters, digits and dashes");
  }
  for (const name of required) {
    if (vm.attribute(name) === undefined) refuse("vm-attributes", vm.entry, `${name} is missing`);
  }
  for (const name of Object.keys(isObject(vm.entry.value) ? vm.entry.value : {})) {
    const entry = vm.attribute(name) ?? vm.entry;
    const rule = attributeRules[name];
    if (rule === undefined) {
      refuse(
        "vm-attributes",
        entry,
        `${name} means nothing here; there are ${Object.keys(attributeRules).join(", ")}`,
      );
    } else {
      const expected = rule(entry.value);
      if (expected !== undefined)
        refuse(`vm-${name.replaceAll("_", "-")}`, entry, `${name} must be ${expected}`);
    }
  }
  return refusals;
}

function checkUnique(
  vms: readonly Vm[],
  attribute: string,
  rule: string,
  identityOf: (value: Hcl) => string | undefined,
): readonly Refusal[] {
  const owners = new Map<string, string>();
  return vms.flatMap((vm) => {
    const entry = vm.attribute(attribute);
    const identity = entry === undefined ? undefined : identityOf(entry.value);
    if (entry === undefined || identity === undefined) return [];
    const owner = owners.get(identity);
    owners.set(identity, owner ?? vm.name);
    const message = `${vm.name}: ${owner} has ${attribute} ${identity} already`;
    return owner === undefined ? [] : [{ rule, file: entry.file, line: entry.line, message }];
  });
}

function checkAddresses(vms: readonly Vm[], root: readonly Entry[]): readonly Refusal[] {
  const settingOf = (name: string): Entry | undefined =>
    root.find(({ path }) => path.length === 4 && path[2] === "network" && path[3] === name);
  const cidr = settingOf("cidr");
  const cidrText = isText(cidr?.value) ? cidr.value : "";
  const network = parseNetwork(cidrText);
  const gatewayEntry = settingOf("gateway");
  const gateway = isText(gatewayEntry?.value) ? parseAddress(gatewayEntry.value) : undefined;
  if (network === undefined || gateway === undefined) {
    const { file, line } = (network === undefined ? cidr : gatewayEntry) ??
      vms[0]?.entry ?? { file: "vms.tf", line: 1 };
    return [{ rule: "network", file, line, message: "locals.network needs a literal cidr and gateway" }];
  }
  const refusals: Refusal[] = [];
  if (gatewayEntry !== undefined && (gateway <= network.first || gateway >= network.last)) {
    refusals.push({
      rule: "network",
      file: gatewayEntry.file,
      line: gatewayEntry.line,
      message: "the gateway is outside",
    });
  }
  for (const vm of vms) {
    const entry = vm.attribute("ip");
    const address = isText(entry?.value) ? parseAddress(addressOf(entry.value) ?? "") : undefined;
    if (entry === undefined || address === undefined) continue;
    const prefix = isText(entry.value) ? parseNetwork(entry.value)?.prefix : undefined;
    const fits =
      address > network.first && address < network.last && address !== gateway && prefix === network.prefix;
    const message = `${vm.name}: not one of the hosts' addresses in ${cidrText}, or the gateway's`;
    if (!fits) refusals.push({ rule: "address-in-subnet", file: entry.file, line: entry.line, message });
  }
  return refusals;
}

const problem = (isFine: boolean, expected: string): string | undefined => (isFine ? undefined : expected);
const isWhole = (value: Hcl, least: number, most: number): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
const isSize = (value: Hcl, least: number, most: number): boolean =>
  isText(value) && /^[1-9]\d*G$/.test(value) && isWhole(Number(value.slice(0, -1)), least, most);
const isSorted = (values: readonly Hcl[]): boolean => {
  const texts = values.filter(isText);
  return (
    texts.length === values.length &&
    texts.every((text, index) => index === 0 || (texts[index - 1] ?? "") < text)
  );
};
const addressOf = (value: Hcl): string | undefined => (isText(value) ? value.split("/")[0] : undefined);
