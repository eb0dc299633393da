output "inventory" {
  description = "Every VM: what the flake, monitoring and DNS must agree with. tofu output -json inventory"
  value = {
    for name, vm in module.nixos_vm : name => merge(vm.host, { cidr = local.network.cidr })
  }
}
