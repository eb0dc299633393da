terraform {
  required_version = ">= 1.8.0"

  required_providers {
    proxmox = {
      source = "bpg/proxmox"
      # Before 1.0 every minor release of this provider may change defaults: only patch releases come by themselves.
      version = "~> 0.111.1"
    }
  }
}
