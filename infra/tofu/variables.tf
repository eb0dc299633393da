variable "proxmox_endpoint" {
  description = "The API of Proxmox VE: https://pve1.example.net:8006/"
  type        = string

  validation {
    condition     = startswith(var.proxmox_endpoint, "https://")
    error_message = "The token crosses this connection: it must be https."
  }
}

variable "proxmox_api_token" {
  description = "user@realm!name=uuid. Give it as TF_VAR_proxmox_api_token, never in a file."
  type        = string
  sensitive   = true
}

variable "proxmox_ssh_username" {
  description = "Who may write to the snippets' directory of the node."
  type        = string
  default     = "root"
}

variable "node_name" {
  description = "The node of the cluster that runs a VM which names no other."
  type        = string
}

variable "datastore_id" {
  description = "Where the disks of the VMs are."
  type        = string
  default     = "local-lvm"
}

variable "snippet_datastore_id" {
  description = "A storage that allows the content type snippets."
  type        = string
  default     = "local"
}

variable "image_file_id" {
  description = "The NixOS image (qcow2 or raw) that new VMs start from, on a storage that allows the content type import."
  type        = string
  default     = "local:import/nixos-base.qcow2"
}

variable "flake_url" {
  description = "The flake that a new VM configures itself from, in the words of Nix: git+https://…"
  type        = string
}

variable "ssh_public_keys" {
  description = "Who may log in as root before the VM has its own configuration."
  type        = list(string)
  default     = []
}

variable "vault_address" {
  description = "Where a new VM unwraps its secret_id; null when it needs no secrets."
  type        = string
  default     = null
}

variable "wrapped_secret_ids" {
  description = "Response-wrapped, single-use secret_ids by VM, only for the apply that creates it. Give them as TF_VAR_wrapped_secret_ids."
  type        = map(string)
  default     = {}
  sensitive   = true
}
