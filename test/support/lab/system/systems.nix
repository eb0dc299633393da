# The systems of a lab. `specs` is a file with a list of `FakeSystem` (fake-systems.ts); gives a list of toplevels in its order.
{ specs }:
map (import ./toplevel.nix { system = builtins.currentSystem; }) (builtins.fromJSON (builtins.readFile specs))
