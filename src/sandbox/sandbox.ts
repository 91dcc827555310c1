import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hashPassword } from '../identity/password.js'
import { generateTotpSecret } from '../identity/totp.js'
import type { User } from '../identity/user.js'
import type { Services } from '../services.js'
import {
  DEMO_CLIENT,
  SANDBOX_CLIENTS,
  SANDBOX_PEOPLE,
  SANDBOX_REDIRECT_URIS,
  type SandboxPerson,
} from './people.js'

/** `sandbox.json`: what scripts of any language need to try the service. Its names never change. */
export interface SandboxFile {
  readonly baseUrl: string
  readonly csc: string
  readonly issuer: string
  readonly clients: readonly SandboxClient[]
  readonly users: readonly SandboxUser[]
}

interface SandboxClient {
  readonly client_id: string
  readonly client_secret: string
  readonly redirect_uris: readonly string[]
}

export interface SandboxUser {
  readonly username: string
  readonly password: string
  readonly pin: string
  readonly totpSecret: string
  readonly email: string
  /** Whether signing in takes a one-time code beside the password. */
  readonly otpAtSignIn: boolean
  readonly credentialIDs: readonly string[]
  readonly credentials: readonly {
    readonly credentialID: string
    readonly algorithm: string
    readonly SCAL: string
    readonly pinRequired: boolean
    readonly authMode: string
  }[]
}

export type Progress = (step: string, done: number, of: number) => void

/** Fills an empty installation with demo people, applications and keys; a filled one is left as it is. */
export async function fillSandbox(
  services: Services,
  file: string,
  progress: Progress,
): Promise<SandboxFile> {
  const { baseUrl } = services.config
  const known = readSandboxFile(file)
  const addresses = { baseUrl, csc: `${baseUrl}/csc/v2`, issuer: baseUrl }
  const sandbox = known ? { ...known, ...addresses } : await create(services, addresses, progress)
  const demoUri = `${baseUrl}/demo/`
  await services.clients.setRedirectUris(DEMO_CLIENT.id, [demoUri])
  writeSandboxFile(file, sandbox)
  return sandbox
}

export function readSandboxFile(file: string): SandboxFile | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SandboxFile) : null
}

async function create(
  services: Services,
  addresses: Pick<SandboxFile, 'baseUrl' | 'csc' | 'issuer'>,
  progress: Progress,
): Promise<SandboxFile> {
  if ((await services.users.list()).length > 0) {
    throw new Error(
      'The sandbox is incomplete: its database has people in it, but there is no sandbox.json. Delete the data folder, or name another one.',
    )
  }
  await services.installation.set('sandbox', new Date().toISOString())
  const clients = await Promise.all(SANDBOX_CLIENTS.map((client) => addClient(services, client)))
  await services.clients.add({
    ...DEMO_CLIENT,
    secret: null,
    redirectUris: [],
    grantTypes: ['authorization_code'],
    authMethod: 'none',
    disabledAt: null,
  })
  const total = SANDBOX_PEOPLE.reduce((sum, person) => sum + person.credentials.length, 0)
  let done = 0
  const users: SandboxUser[] = []
  for (const person of SANDBOX_PEOPLE) {
    const added = await addPerson(services, person, (description) => {
      done += 1
      progress(`${person.username}: ${description}`, done, total)
    })
    users.push(added)
  }
  return { ...addresses, clients, users }
}

async function addClient(
  services: Services,
  { id, name }: { id: string; name: string },
): Promise<SandboxClient> {
  const secret = randomBytes(24).toString('base64url')
  await services.clients.add({
    ...{ id, name, secret },
    redirectUris: SANDBOX_REDIRECT_URIS,
    grantTypes: ['authorization_code', 'refresh_token'],
    authMethod: 'client_secret',
    disabledAt: null,
  })
  return { client_id: id, client_secret: secret, redirect_uris: SANDBOX_REDIRECT_URIS }
}

async function addPerson(
  services: Services,
  person: SandboxPerson,
  keyMade: (description: string) => void,
): Promise<SandboxUser> {
  const { username, givenName, surname, country, otpAtSignIn } = person
  const password = randomBytes(9).toString('base64url')
  const pin = String(randomInt(1_000_000)).padStart(6, '0')
  const totpSecret = generateTotpSecret()
  const email = `${username}@example.org`
  const account = {
    id: `sandbox-${username}`,
    displayName: `${givenName} ${surname}`,
    ...{ username, givenName, surname, country, email, otpAtSignIn },
    ...{ lang: null, phone: person.phone },
  }
  const user: User = { ...account, disabledAt: null }
  await services.users.add({ ...account, totpSecret, passwordHash: await hashPassword(password) })
  const credentials: SandboxUser['credentials'][number][] = []
  for (const { algorithm, description, SCAL, withPin, explicit } of person.credentials) {
    keyMade(description)
    const { id } = await services.credentials.create({
      ...{ user, algorithm, description, SCAL },
      multisign: 100,
      signatureQualifier: 'eu_eidas_aes',
      pin: withPin ? pin : null,
      ...(explicit ? { explicit } : {}),
    })
    credentials.push({
      credentialID: id,
      algorithm,
      SCAL,
      pinRequired: withPin ?? false,
      authMode: explicit ? 'explicit' : 'oauth2code',
    })
  }
  const credentialIDs = credentials.map(({ credentialID }) => credentialID)
  return { username, password, pin, totpSecret, email, otpAtSignIn, credentialIDs, credentials }
}

/** Whole or not at all, and for its owner only: it holds passwords. */
function writeSandboxFile(file: string, sandbox: SandboxFile): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(sandbox, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
