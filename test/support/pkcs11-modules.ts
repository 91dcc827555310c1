import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HsmKeysOptions } from '../../src/keys/hsm-keys.js'
import { newTokenDirectory } from './softhsm.js'

/** A token of another library than SoftHSM, ready to be used. */
export interface OtherToken {
  readonly options: Pick<HsmKeysOptions, 'module' | 'tokenLabel' | 'pin' | 'libraryParameters'>
  close(): Promise<void>
}

const PIN = '648219'
const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
]

/** Tests that cannot be run say what to install. */
function demand(...files: readonly string[]): string {
  const found = find(...files)
  if (found === undefined) throw new Error(`${files[0]} is not installed; see scripts/install.sh`)
  return found
}

function find(...files: readonly string[]): string | undefined {
  return LIBRARIES.flatMap((folder) => files.map((file) => join(folder, file))).find(existsSync)
}

/**
 * The soft token of openCryptoki, where a developer has one for this: its daemon runs as root, and a machine
 * has one such token. OPENRSSP_TEST_OPENCRYPTOKI is its label and PIN with a colon between.
 */
export function findOpencryptokiToken(): OtherToken | null {
  const module = find('opencryptoki/libopencryptoki.so.0')
  const [tokenLabel, pin] = (process.env['OPENRSSP_TEST_OPENCRYPTOKI'] ?? '').split(':')
  if (module === undefined || !tokenLabel || !pin) return null
  return { options: { module, tokenLabel, pin }, close: () => Promise.resolve() }
}

/** The key database of NSS, as Firefox has one, in a folder of its own. */
export function openNssToken(): OtherToken {
  const module = demand('libsoftokn3.so', 'nss/libsoftokn3.so')
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-nss-'))
  const names = "certPrefix='' keyPrefix='' secmod='secmod.db' flags="
  const libraryParameters = `configdir='sql:${folder}' ${names} dbTokenDescription='openrssp'`
  // Its security officer has no PIN, and may set one for the user once.
  const script = `
    const pkcs11 = require('pkcs11js')
    const api = new pkcs11.PKCS11()
    const [module, libraryParameters, pin] = process.argv.slice(1)
    api.load(module)
    api.C_Initialize({ flags: pkcs11.CKF_OS_LOCKING_OK, libraryParameters })
    const slot = api.C_GetSlotList(true).find(
      (each) => api.C_GetTokenInfo(each).label.trim() === 'openrssp',
    )
    const session = api.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
    api.C_Login(session, pkcs11.CKU_SO, '')
    api.C_InitPIN(session, pin)
    api.C_CloseSession(session)
    api.C_Finalize()`
  execFileSync(process.execPath, ['-e', script, module, libraryParameters, PIN], {
    cwd: join(import.meta.dirname, '../..'),
  })
  return {
    options: { module, tokenLabel: 'openrssp', pin: PIN, libraryParameters },
    close: () => Promise.resolve(rmSync(folder, { recursive: true })),
  }
}

/** SoftHSM behind a socket, as a token of another machine is. */
export async function openRemoteToken(): Promise<OtherToken> {
  const module = demand('pkcs11/p11-kit-client.so')
  const token = newTokenDirectory('remote')
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-p11-'))
  const socket = join(folder, 'socket')
  const server = spawn(
    'p11-kit',
    ['server', '-f', '-n', socket, '--provider', token.module, 'pkcs11:token=remote'],
    { env: { ...process.env, SOFTHSM2_CONF: token.conf }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await listening(server)
  process.env['P11_KIT_SERVER_ADDRESS'] = `unix:path=${socket}`
  return {
    options: { module, tokenLabel: 'remote', pin: token.pin },
    async close() {
      const ended = once(server, 'exit')
      server.kill()
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

/** It prints its address once it listens. */
async function listening(server: ChildProcess): Promise<void> {
  if (!server.stdout) throw new Error('p11-kit says nothing')
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'error').then(([error]) => Promise.reject(error as Error)),
    once(server, 'exit').then(() => Promise.reject(new Error('p11-kit ended'))),
  ])
}
