import { randomBytes, randomInt } from 'node:crypto'
import { AUTH_OBJECTS } from '../credentials/auth-object.js'
import { hashPassword } from '../identity/password.js'
import { generateTotpSecret } from '../identity/totp.js'
import type { User } from '../identity/user.js'
import type { Services } from '../services.js'
import { conformanceTargets } from './conformance-target.js'
import type { DataFolder } from './data-folder.js'
import {
  DEMO_CLIENT,
  SANDBOX_CLIENTS,
  SANDBOX_PEOPLE,
  SANDBOX_REDIRECT_URIS,
  SANDBOX_SEALS,
  SEAL_CLIENT_ID,
  SEAL_OWNER,
  type PlannedCredential,
  type SandboxPerson,
} from './people.js'
import {
  describeCredential,
  readSandboxFile,
  writePrivately,
  type KnownUser,
  type SandboxClient,
  type SandboxCredential,
  type SandboxFile,
  type SandboxSeal,
  type SandboxUser,
} from './sandbox-file.js'

export type Progress = (step: string, done: number, of: number) => void

/** Every digit by chance. */
const PIN_DIGITS = { person: 6, seal: 12 } as const

/**
 * Fills an installation with the demo people, applications, keys and seals it has not yet, and lists
 * them in files for scripts. What is there stays as it is, also what an earlier version made.
 */
export async function fillSandbox(
  services: Services,
  folder: Pick<DataFolder, 'sandboxFile' | 'outbox' | 'conformanceFiles'>,
  progress: Progress,
): Promise<SandboxFile> {
  const known = readSandboxFile(folder.sandboxFile)
  if (!known) await begin(services)
  const { baseUrl } = services.config
  const addresses = { baseUrl, csc: `${baseUrl}/csc/v2`, issuer: baseUrl, outbox: folder.outbox }
  const clients = withNewClients(known?.clients ?? [])
  // First the secrets, then what they open: an interruption must not leave a secret nobody knows.
  if (known) writePrivately(folder.sandboxFile, { ...known, clients })
  await addMissingClients(services, clients)
  const plans: Plan[] = []
  for (const person of SANDBOX_PEOPLE) {
    const user = known?.users.find(({ username }) => username === person.username)
    const account = user ? await describeUser(services, user) : await addPerson(services, person)
    plans.push({ account, missing: missingCredentials(person, account) })
  }
  const keys = plans.reduce((sum, { missing }) => sum + missing.length, 0)
  const keyMade = counting(progress, keys + (known?.seals ? 0 : SANDBOX_SEALS.length))
  const users: SandboxUser[] = []
  for (const plan of plans) users.push(await withMissingCredentials(services, plan, keyMade))
  const seals = known?.seals ?? (await addSeals(services, keyMade))
  await services.clients.setRedirectUris(DEMO_CLIENT.id, [`${baseUrl}/demo/`])
  const sandbox = { ...addresses, clients, users, seals }
  writePrivately(folder.sandboxFile, sandbox)
  const targets = conformanceTargets(sandbox)
  writePrivately(folder.conformanceFiles.v2, targets.v2)
  writePrivately(folder.conformanceFiles.v1, targets.v1)
  return sandbox
}

async function begin({ users, clients, installation }: Services): Promise<void> {
  if ((await users.list()).length > 0) {
    throw new Error(
      'The sandbox is incomplete: its database has people in it, but there is no sandbox.json. Delete the data folder, or name another one.',
    )
  }
  await installation.set('sandbox', new Date().toISOString())
  await clients.add({
    ...DEMO_CLIENT,
    secret: null,
    redirectUris: [],
    grantTypes: ['authorization_code'],
    authMethod: 'none',
    disabledAt: null,
  })
}

function withNewClients(known: readonly SandboxClient[]): readonly SandboxClient[] {
  const missing = SANDBOX_CLIENTS.filter(({ id }) => !known.some((each) => each.client_id === id))
  return [
    ...known,
    ...missing.map(({ id }) => ({
      client_id: id,
      client_secret: randomBytes(24).toString('base64url'),
      redirect_uris: SANDBOX_REDIRECT_URIS,
    })),
  ]
}

async function addMissingClients(
  { clients }: Services,
  listed: readonly SandboxClient[],
): Promise<void> {
  for (const { id, name, grantTypes } of SANDBOX_CLIENTS) {
    const secret = listed.find((each) => each.client_id === id)?.client_secret
    if (secret === undefined || (await clients.find(id))) continue
    await clients.add({
      ...{ id, name, grantTypes, secret },
      redirectUris: SANDBOX_REDIRECT_URIS,
      authMethod: 'client_secret',
      disabledAt: null,
    })
  }
}

/** A person of the sandbox, and the keys they do not have yet. */
interface Plan {
  readonly account: SandboxUser
  readonly missing: readonly PlannedCredential[]
}

function missingCredentials({ credentials }: SandboxPerson, account: SandboxUser) {
  const known = new Set(account.credentials.map(({ description }) => description))
  return credentials.filter(({ description }) => !known.has(description))
}

type KeyMade = (whose: string, description: string) => void

function counting(progress: Progress, total: number): KeyMade {
  let done = 0
  return (whose, description) => {
    done += 1
    progress(`${whose}: ${description}`, done, total)
  }
}

async function addPerson({ users }: Services, person: SandboxPerson): Promise<SandboxUser> {
  const { username, givenName, surname, country, phone, otpAtSignIn } = person
  const password = randomBytes(9).toString('base64url')
  const pin = newPin(PIN_DIGITS.person)
  const totpSecret = generateTotpSecret()
  const userID = `sandbox-${username}`
  const email = `${username}@example.org`
  await users.add({
    id: userID,
    displayName: `${givenName} ${surname}`,
    ...{ username, givenName, surname, country, email, phone, otpAtSignIn, totpSecret },
    lang: null,
    passwordHash: await hashPassword(password),
  })
  return {
    ...{ userID, username, password, pin, totpSecret, email, phone, otpAtSignIn },
    ...{ credentialIDs: [], credentials: [] },
  }
}

/** What an earlier version did not write down is read from the database. */
async function describeUser(services: Services, known: KnownUser): Promise<SandboxUser> {
  const { userID, phone } = known
  if (userID !== undefined && phone !== undefined) return known as SandboxUser
  const user = await findUser(services, known.username)
  const credentials: SandboxCredential[] = []
  for (const { credentialID } of known.credentials) {
    const credential = await services.credentialStore.find(credentialID)
    if (credential) credentials.push(describeCredential(credential))
  }
  return { ...known, userID: user.id, phone: user.phone ?? '', credentials }
}

async function withMissingCredentials(
  services: Services,
  { account, missing }: Plan,
  keyMade: KeyMade,
): Promise<SandboxUser> {
  if (missing.length === 0) return account
  const user = await findUser(services, account.username)
  const credentials = [...account.credentials]
  for (const { withPin, ...planned } of missing) {
    keyMade(account.username, planned.description)
    const created = await services.credentials.create({
      ...{ user, ...planned },
      multisign: 100,
      signatureQualifier: 'eu_eidas_aes',
      pin: withPin ? account.pin : null,
    })
    credentials.push(describeCredential(created))
  }
  const credentialIDs = credentials.map(({ credentialID }) => credentialID)
  return { ...account, credentialIDs, credentials }
}

async function addSeals(services: Services, keyMade: KeyMade): Promise<SandboxSeal[]> {
  const { users, credentials } = services
  if (!(await users.findByUsername(SEAL_OWNER.username))) {
    await users.add({
      ...SEAL_OWNER,
      ...{ email: null, phone: null, lang: null, otpAtSignIn: false, totpSecret: null },
      passwordHash: await hashPassword(randomBytes(24).toString('base64url')),
    })
  }
  const user = await findUser(services, SEAL_OWNER.username)
  const seals: SandboxSeal[] = []
  for (const { description, withPin } of SANDBOX_SEALS) {
    keyMade(SEAL_OWNER.username, description)
    const pin = withPin ? newPin(PIN_DIGITS.seal) : null
    const created = await credentials.create({
      ...{ user, description, pin, algorithm: 'p-256', SCAL: '2', multisign: 100 },
      signatureQualifier: 'eu_eidas_aes',
      ownerClientId: SEAL_CLIENT_ID,
      explicit: { objects: withPin ? [AUTH_OBJECTS.PIN] : [], expression: null },
    })
    const holder = { client_id: SEAL_CLIENT_ID, userID: user.id }
    seals.push({ ...holder, pin, ...describeCredential(created) })
  }
  return seals
}

async function findUser({ users }: Services, username: string): Promise<User> {
  const user = await users.findByUsername(username)
  if (!user)
    throw new Error(`The sandbox is incomplete: there is no "${username}" in its database.`)
  return user
}

function newPin(digits: number): string {
  return String(randomInt(10 ** digits)).padStart(digits, '0')
}
