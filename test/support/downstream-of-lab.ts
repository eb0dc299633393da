import { createDownstream, type Downstream } from "./downstream.ts";
import { inputNames, type UpdateLab } from "./update-lab.ts";

export interface DownstreamState {
  readonly hosts: readonly string[];
  /** Hosts that do not build, whatever the input is. */
  readonly fails?: readonly string[];
  /** Not even its list of hosts evaluates. */
  readonly broken?: boolean;
}

/** Its hosts are what its own file says, and depend on the fleet's inputs, but on nothing of the fleet's flake. */
const outputs = `{ self, servers }:
    let
      inherit (builtins) elem listToAttrs fromJSON readFile toJSON;
      states = map (name: servers.inputs.\${name}.state) [ ${inputNames.map((name) => `"${name}"`).join(" ")} ];
      own = fromJSON (readFile ./hosts.json);
      has = key: host: builtins.any (state: elem host (state.\${key} or [ ])) states;
    in {
      nixosConfigurations = if own.broken or false then throw "this flake is in pieces" else listToAttrs (map (host: {
        name = host;
        value.config.system.build.toplevel = derivation {
          name = "nixos-system-\${host}";
          system = "x86_64-linux";
          builder = "/bin/sh";
          PATH = "/usr/bin:/bin";
          values = map (state: state.value) states;
          args = [ "-c" (if has "breaks" host || elem host (own.fails or [ ]) then "echo 'E: not with this'; exit 1" else "mkdir $out") ];
        };
      }) own.hosts);
    }`;

/** A repo with the lab's as its input `servers`; what the lab's inputs break by name does not build here either. */
export const createDownstreamOf = (lab: UpdateLab, state: DownstreamState): Promise<Downstream> =>
  createDownstream({
    store: lab.store,
    directory: lab.directory,
    upstream: `git+file://${lab.remote}?ref=master`,
    outputs,
    files: { "hosts.json": JSON.stringify(state) },
  });
