# Every VM of the fleet: an entry here and a host of the same name in the flake.
locals {
  network = {
    cidr        = "10.69.13.0/24"
    gateway     = "10.69.13.1"
    dns_servers = ["10.69.13.5", "10.69.13.6"]
    bridge      = "vmbr0"
    vlan_id     = 13
  }

  vms = {
    # Builds the fleet and serves what it built. README.md says where these sizes come from.
    "nix-cache01" = {
      vm_id         = 115
      ip            = "10.69.13.15/24"
      cpu_cores     = 4
      memory        = 8192  # MiB
      disk_size     = "20G" # the system without its store
      nix_disk_size = "200G"
      tags          = ["cache", "nixos", "prod"]
    }

    # What changes first is tried here.
    "testvm01" = {
      ip        = "10.69.13.101/24"
      cpu_cores = 2
      memory    = 2048
      disk_size = "20G"
      tags      = ["nixos", "test"]
    }
  }

  # What an entry may say besides, and what holds when it does not.
  vm_defaults = {
    vm_id         = null     # the next that is free
    node_name     = null     # var.node_name
    nix_disk_size = null     # /nix is on the first disk
    flake_branch  = "master" # that the VM configures itself from when it is new
    vault_role_id = null     # of its AppRole
    guest_agent   = false    # true once the agent runs: see README.md
    tags          = ["nixos"]
  }
}

module "nixos_vm" {
  source   = "./modules/nixos-vm"
  for_each = { for name, vm in local.vms : name => merge(local.vm_defaults, vm) }

  name      = each.key
  vm_id     = each.value.vm_id
  node_name = coalesce(each.value.node_name, var.node_name)
  tags      = each.value.tags

  cpu_cores     = each.value.cpu_cores
  memory        = each.value.memory
  disk_size     = each.value.disk_size
  nix_disk_size = each.value.nix_disk_size
  datastore_id  = var.datastore_id
  image_file_id = var.image_file_id

  ip          = each.value.ip
  gateway     = local.network.gateway
  dns_servers = local.network.dns_servers
  bridge      = local.network.bridge
  vlan_id     = local.network.vlan_id
  guest_agent = each.value.guest_agent

  snippet_datastore_id = var.snippet_datastore_id
  flake_url            = var.flake_url
  flake_branch         = each.value.flake_branch
  ssh_public_keys      = var.ssh_public_keys
  vault_address        = var.vault_address
  vault_role_id        = each.value.vault_role_id
  wrapped_secret_id    = lookup(var.wrapped_secret_ids, each.key, null)
}
