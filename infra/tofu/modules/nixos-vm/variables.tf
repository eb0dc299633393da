variable "name" {
  description = "The VM's name: its host name, and the host of the flake."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.name))
    error_message = "A name has letters, digits and dashes, at most 63 of them."
  }
}

variable "vm_id" {
  description = "null takes the next that is free."
  type        = number
  default     = null
}

variable "node_name" {
  description = "The node of the cluster that runs it."
  type        = string
}

variable "tags" {
  description = "Labels in Proxmox."
  type        = list(string)
  default     = []
}

variable "cpu_cores" {
  description = "Virtual cores."
  type        = number

  validation {
    condition     = var.cpu_cores >= 1 && var.cpu_cores <= 128 && floor(var.cpu_cores) == var.cpu_cores
    error_message = "A VM has from 1 to 128 whole cores."
  }
}

variable "cpu_type" {
  description = "What the guest sees; \"host\" when it never moves to a node with another processor."
  type        = string
  default     = "x86-64-v2-AES"
}

variable "memory" {
  description = "MiB."
  type        = number

  validation {
    condition     = var.memory >= 1024
    error_message = "NixOS cannot switch to a new configuration with less than 1024 MiB."
  }
}

variable "disk_size" {
  description = "Of the first disk: 20G. It can grow and never shrink."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]*G$", var.disk_size))
    error_message = "A size is a whole number of GiB: 20G."
  }
}

variable "nix_disk_size" {
  description = "Of a second disk for /nix; null when there is none."
  type        = string
  default     = null

  validation {
    condition     = var.nix_disk_size == null || can(regex("^[1-9][0-9]*G$", var.nix_disk_size))
    error_message = "A size is a whole number of GiB: 200G."
  }
}

variable "datastore_id" {
  description = "Where the disks are."
  type        = string
}

variable "image_file_id" {
  description = "What the first disk is made from, when the VM is created."
  type        = string
}

variable "ip" {
  description = "The address with the length of its prefix: 10.69.13.15/24"
  type        = string

  validation {
    condition     = can(cidrhost(var.ip, 0)) && strcontains(var.ip, "/")
    error_message = "An address has the length of its prefix behind it: 10.69.13.15/24."
  }
}

variable "gateway" {
  description = "In the same network as the address."
  type        = string
}

variable "dns_servers" {
  description = "Used until the VM has its own configuration."
  type        = list(string)
}

variable "bridge" {
  description = "The node's bridge."
  type        = string
  default     = "vmbr0"
}

variable "vlan_id" {
  description = "null for no VLAN."
  type        = number
  default     = null
}

variable "guest_agent" {
  description = "Whether the guest agent runs in the VM. When it does not, true blocks every plan until it times out."
  type        = bool
  default     = false
}

variable "snippet_datastore_id" {
  description = "A storage that allows the content type snippets."
  type        = string
}

variable "flake_url" {
  description = "The flake that the VM configures itself from when it is new."
  type        = string
}

variable "flake_branch" {
  description = "The branch of that flake."
  type        = string
}

variable "ssh_public_keys" {
  description = "Who may log in as root before the VM has its own configuration."
  type        = list(string)
  default     = []
}

variable "vault_address" {
  description = "Where wrapped_secret_id is unwrapped."
  type        = string
  default     = null
}

variable "vault_role_id" {
  description = "The AppRole of this VM; an identifier, not a secret."
  type        = string
  default     = null
}

variable "wrapped_secret_id" {
  description = "A response-wrapped, single-use secret_id that lives for minutes. Never the secret_id itself: administrators of Proxmox and its backups can read snippets."
  type        = string
  default     = null
  sensitive   = true
}
