import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf } from "./hcl-lines.ts";
import { parseTofuFile, readTofuFiles } from "./tofu-files.ts";
import { checkTofu } from "./tofu-rules.ts";

const files = readTofuFiles(join(import.meta.dirname, "../../infra/tofu"));

test("the files of infra/tofu keep all rules", async () => {
  expect(files.map(({ path }) => path)).toContain("vms.tf");
  expect(await checkTofu(files)).toEqual([]);
});

test("every block and value that hcl2json finds has its line, also in files with all that HCL has", async () => {
  const text = [
    "/* a { comment */ locals { # { another",
    "  a = { for k, v in var.x : k => { y = v } }",
    '  b = { "in quotes" = "text ${join(",", [for x in local.a : "}"])} }", c: [1, "two"',
    "    , { three = 3 }] }",
    "  d = <<-EOT",
    "    e = { not a block",
    "    EOT",
    "}",
    "locals {",
    "  b = true ? {",
    "    x = 1 } : {}",
    '} // "',
    'resource "a" "b" { c = 1 }',
    'resource "a" "b" {',
    "  e {}",
    "  e { f = 1 }",
    "}",
    "",
  ].join("\n");
  const document = await parseTofuFile({ path: "all.tf", text });
  if ("rule" in document) throw new Error(document.message);
  const lines = Object.fromEntries(document.entries.map(({ path, line }) => [path.join("."), line]));
  expect(lines).toMatchObject({
    "locals.0": 1,
    "locals.0.a": 2,
    "locals.0.b": 3,
    "locals.0.b.in quotes": 3,
    "locals.0.b.c.1": 3,
    "locals.0.b.c.2.three": 4,
    "locals.0.d": 5,
    "locals.1": 9,
    "locals.1.b": 10,
    "resource.a.b.0.c": 13,
    "resource.a.b.1": 14,
    "resource.a.b.1.e.0": 15,
    "resource.a.b.1.e.1.f": 16,
  });
});

test("a line is there for each thing in the shipped files", async () => {
  for (const file of files) {
    const document = await parseTofuFile(file);
    if ("rule" in document) throw new Error(document.message);
    expect(document.entries.length).toBeGreaterThan(0);
    const source = file.text.split("\n");
    // A block of a list has its number as the last step; everything else has its name on that line.
    for (const { path, line } of document.entries.filter((each) => typeof each.path.at(-1) === "string")) {
      expect(source[line - 1]).toContain(path.at(-1));
    }
    expect(linesOf(file.text).size).toBe(document.entries.length);
  }
});

interface Mutation {
  readonly name: string;
  readonly file: string;
  /** A text of that file, and what it becomes. */
  readonly from: string;
  readonly to: string;
  readonly rule: string;
  /** A text of the line that must be named; without it the one that `to` begins with. */
  readonly at?: string;
}

const vms = "vms.tf";
const main = "modules/nixos-vm/main.tf";
const variables = "variables.tf";
const testvm = `ip        = "10.69.13.101/24"`;

const mutations: readonly Mutation[] = [
  { name: "a syntax error", file: vms, from: testvm, to: "ip        == 3", rule: "syntax" },
  {
    name: "two VMs of one name",
    file: vms,
    from: `"testvm01" = {`,
    to: `"nix-cache01" = {`,
    rule: "unique-names",
  },
  {
    name: "two VMs with one address",
    file: vms,
    from: testvm,
    to: `ip        = "10.69.13.15/24"`,
    rule: "unique-address",
  },
  {
    name: "two VMs with one id",
    file: vms,
    from: testvm,
    to: `${testvm}\n      vm_id = 115`,
    rule: "unique-vm-id",
    at: "vm_id = 115",
  },
  {
    name: "an address of another network",
    file: vms,
    from: testvm,
    to: `ip        = "10.69.14.101/24"`,
    rule: "address-in-subnet",
  },
  {
    name: "another length of the prefix",
    file: vms,
    from: testvm,
    to: `ip        = "10.69.13.101/16"`,
    rule: "address-in-subnet",
  },
  {
    name: "the gateway's address",
    file: vms,
    from: testvm,
    to: `ip        = "10.69.13.1/24"`,
    rule: "address-in-subnet",
  },
  {
    name: "an address that is none",
    file: vms,
    from: testvm,
    to: `ip        = "10.69.13.300/24"`,
    rule: "vm-ip",
  },
  {
    name: "a gateway outside of the network",
    file: vms,
    from: `gateway     = "10.69.13.1"`,
    to: `gateway     = "10.69.14.1"`,
    rule: "network",
  },
  {
    name: "a name that is no host's",
    file: vms,
    from: `"testvm01" = {`,
    to: `"Test_VM" = {`,
    rule: "vm-name",
  },
  { name: "no cores", file: vms, from: "cpu_cores = 2", to: "cpu_cores = 0", rule: "vm-cpu-cores" },
  { name: "memory in GiB", file: vms, from: "memory    = 2048", to: "memory    = 2", rule: "vm-memory" },
  {
    name: "a disk without a unit",
    file: vms,
    from: `disk_size = "20G"\n      tags      = ["nixos", "test"]`,
    to: `disk_size = "20"`,
    rule: "vm-disk-size",
  },
  {
    name: "a store that holds no system",
    file: vms,
    from: `nix_disk_size = "200G"`,
    to: `nix_disk_size = "20G"`,
    rule: "vm-nix-disk-size",
  },
  {
    name: "a forgotten size",
    file: vms,
    from: "      memory    = 2048\n",
    to: "",
    rule: "vm-attributes",
    at: `"testvm01" = {`,
  },
  {
    name: "a misspelt attribute",
    file: vms,
    from: "memory    = 2048",
    to: "memory    = 2048\n      nix_disk = true",
    rule: "vm-attributes",
    at: "nix_disk = true",
  },
  {
    name: "tags in another order",
    file: vms,
    from: `["nixos", "test"]`,
    to: `["test", "nixos"]`,
    rule: "vm-tags",
  },
  {
    name: "a provider that is not pinned",
    file: "versions.tf",
    from: `"~> 0.111.1"`,
    to: `">= 0.111.1"`,
    rule: "pinned-provider",
  },
  {
    name: "a provider that nobody pinned",
    file: main,
    from: `resource "proxmox_virtual_environment_file"`,
    to: `resource "random_id" "x" {}\nresource "proxmox_virtual_environment_file"`,
    rule: "pinned-provider",
  },
  {
    name: "prevent_destroy off",
    file: main,
    from: "prevent_destroy = true",
    to: "prevent_destroy = false",
    rule: "prevent-destroy",
  },
  {
    name: "prevent_destroy by a variable",
    file: main,
    from: "prevent_destroy = true",
    to: "prevent_destroy = var.guest_agent",
    rule: "prevent-destroy",
  },
  {
    name: "prevent_destroy left out",
    file: main,
    from: "    prevent_destroy = true\n",
    to: "",
    rule: "prevent-destroy",
    at: "lifecycle {",
  },
  {
    name: "a reboot by itself",
    file: main,
    from: "reboot_after_update                  = false",
    to: "reboot_after_update = true",
    rule: "dangerous-default",
  },
  {
    name: "disks that go with the VM",
    file: main,
    from: "  delete_unreferenced_disks_on_destroy = false\n",
    to: "",
    rule: "dangerous-default",
    at: `resource "proxmox_virtual_environment_vm"`,
  },
  {
    name: "protection off",
    file: main,
    from: "protection = true",
    to: "protection = false",
    rule: "dangerous-default",
  },
  {
    name: "an agent in a new VM",
    file: main,
    from: "enabled = var.guest_agent",
    to: "enabled = true",
    rule: "dangerous-default",
  },
  {
    name: "a resource not for production",
    file: main,
    from: `resource "proxmox_virtual_environment_file"`,
    to: `resource "proxmox_vm" "x" {}\nresource "proxmox_virtual_environment_file"`,
    rule: "vm-resource",
  },
  {
    name: "a token in a file",
    file: "providers.tf",
    from: "api_token = var.proxmox_api_token",
    to: `api_token = "changeme"`,
    rule: "no-secrets",
  },
  {
    name: "a seed under another name",
    file: vms,
    from: `tags      = ["nixos", "test"]`,
    to: `flake_branch = "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4"`,
    rule: "no-secrets",
  },
  {
    name: "a wrapper in the example",
    file: "terraform.tfvars.example",
    from: "vault_address ",
    to: `wrapped_secret_ids = { nix-cache01 = "hvs.CAESIJlWh8f0examplexamplexamplexample" }\nvault_address `,
    rule: "no-secrets",
  },
  {
    name: "a secret that is shown",
    file: variables,
    from: '  sensitive   = true\n}\n\nvariable "proxmox_ssh',
    to: '}\n\nvariable "proxmox_ssh',
    rule: "no-secrets",
    at: `variable "proxmox_api_token"`,
  },
  {
    name: "a variable that nobody uses",
    file: variables,
    from: `variable "datastore_id" {`,
    to: `variable "spare" {\n  type = string\n}\n\nvariable "datastore_id" {`,
    rule: "used",
  },
  {
    name: "a variable that nobody declared",
    file: main,
    from: "cores = var.cpu_cores",
    to: "cores = var.cpus",
    rule: "declared",
  },
  {
    name: "an input that the module does not have",
    file: vms,
    from: "  cpu_cores     = each.value.cpu_cores",
    to: "  cpus          = each.value.cpu_cores",
    rule: "module-call",
  },
  {
    name: "an example of a variable that is not there",
    file: "terraform.tfvars.example",
    from: "node_name ",
    to: "nodename ",
    rule: "example-values",
  },
];

test("there are at least 12 mutations", () => {
  expect(mutations.length).toBeGreaterThanOrEqual(12);
});

test.each(mutations)("$name is refused with its file and line", async ({ file, from, to, rule, at }) => {
  const original = files.find(({ path }) => path === file)?.text ?? "";
  expect(original.split(from)).toHaveLength(2);
  const text = original.replace(from, () => to);
  const position = at === undefined ? original.indexOf(from) : text.indexOf(at);
  expect(position).toBeGreaterThanOrEqual(0);
  const line = text.slice(0, position).split("\n").length;
  const mutated = files.map((each) => (each.path === file ? { path: file, text } : each));
  expect(await checkTofu(mutated)).toContainEqual(expect.objectContaining({ rule, file, line }));
});
