import type { Client } from 'oidc-provider'
import type { Quirk } from './client.js'

/** Whether the application is registered as one that does it that way (docs/interop.md). */
export function hasQuirk(client: Client, quirk: Quirk): boolean {
  const quirks = client['quirks'] as readonly Quirk[] | undefined
  return quirks?.includes(quirk) === true
}
