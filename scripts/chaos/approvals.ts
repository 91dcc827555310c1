import { randomBytes, randomUUID, X509Certificate } from 'node:crypto'
import { AUTH_OBJECTS } from '../../src/credentials/auth-object.js'
import { HASH_ALGORITHMS, type KeyAlgorithm } from '../../src/keys/algorithms.js'
import { RecordAdapter } from '../../src/oauth/adapter.js'
import type { Services } from '../../src/services.js'
import { ECDSA_SHA256, RSA_SHA256 } from '../../test/support/rssp.js'
import { addUser, BENCH_CLIENT } from '../bench/installation.js'
import { digestOf, type KnownCredential, type StoryStart } from './application.js'
import type { RoundPlan, StoryPlan } from './plan.js'

const PIN = '482913'
const TOKEN_SECONDS = 3600
/** Units committed at once. */
const AT_ONCE = 128
/** Authorised with a SAD, which the application gets itself. */
const WITH_SAD: ReadonlySet<StoryPlan['kind']> = new Set(['explicit', 'extend', 'revoke'])

/** People with two credentials each: one for our pages, one for applications that bring a PIN. */
export interface People {
  readonly onPages: readonly KnownCredential[]
  readonly explicit: readonly KnownCredential[]
  /** PEM, by credential. */
  readonly keys: ReadonlyMap<string, string>
}

export async function addPeople(services: Services): Promise<People> {
  const keys = new Map<string, string>()
  const onPages: KnownCredential[] = []
  const explicit: KnownCredential[] = []
  for (const algorithm of ['p-256', 'p-256', 'rsa-2048'] as const) {
    const { id } = await addUser(services)
    onPages.push(await addCredential(services, { userId: id, algorithm, pin: null }, keys))
    const withPin = { userId: id, algorithm: 'p-256', pin: PIN } as const
    explicit.push(await addCredential(services, withPin, keys))
  }
  return { onPages, explicit, keys }
}

async function addCredential(
  services: Services,
  parts: { readonly userId: string; readonly algorithm: KeyAlgorithm; readonly pin: string | null },
  keys: Map<string, string>,
): Promise<KnownCredential> {
  const { userId, algorithm, pin } = parts
  const user = await services.users.find(userId)
  if (!user) throw new Error(`no user ${userId}`)
  const { id, certificates } = await services.credentials.create({
    ...{ user, algorithm, description: 'Chaos', SCAL: '2', multisign: 100, pin },
    ...(pin === null ? {} : { explicit: { objects: [AUTH_OBJECTS.PIN], expression: 'PIN' } }),
  })
  const [leaf] = certificates
  if (!leaf) throw new Error('no certificate')
  const { publicKey } = new X509Certificate(leaf)
  keys.set(id, publicKey.export({ format: 'pem', type: 'spki' }).toString())
  return { id, userId, pin, signAlgo: algorithm === 'rsa-2048' ? RSA_SHA256 : ECDSA_SHA256 }
}

/** Everything the applications of a round need, in the order of the plan. */
export async function layRound(
  services: Services,
  people: People,
  round: { readonly plan: RoundPlan; readonly name: string },
): Promise<StoryStart[][]> {
  const { plan, name } = round
  const tokens = new Map<string, string>()
  for (const { userId } of people.onPages) {
    tokens.set(
      userId,
      await addToken(services, { scope: 'service', userId, grantId: randomUUID() }),
    )
  }
  const starts: StoryStart[][] = plan.stories.map(() => [])
  const queue = plan.stories.flatMap((stories, application) =>
    stories.map((story, number) => async () => {
      const start = planned(people, story, `${name}/application ${application}/story ${number}`)
      const token = tokens.get(start.credential.userId) ?? ''
      const laid = WITH_SAD.has(story.kind)
        ? { token, authorisationId: null }
        : await approve(services, start)
      const own = starts[application]
      if (own) own[number] = { ...start, ...laid }
    }),
  )
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await next()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return starts
}

type Unapproved = Omit<StoryStart, 'token' | 'authorisationId'>

function planned({ onPages, explicit }: People, plan: StoryPlan, name: string): Unapproved {
  const from = WITH_SAD.has(plan.kind) ? explicit : onPages
  const credential = from[plan.credential % from.length]
  const foreign = from[(plan.credential + 1) % from.length]
  if (!credential || !foreign) throw new Error('no credential')
  const documents = Array.from({ length: plan.digests }, (_, index) => `${name}/document ${index}`)
  return { name, plan, credential, foreign, documents }
}

/** As the signer would on our pages. */
async function approve(
  services: Services,
  { credential: { id, userId }, documents }: Unapproved,
): Promise<{ token: string; authorisationId: string }> {
  const { transactions, activations, credentials } = services
  const credential = await credentials.findFor({ clientId: BENCH_CLIENT.id, userId }, id)
  if (!credential) throw new Error(`no credential ${id}`)
  const transaction = await transactions.open(randomUUID(), {
    ...{ clientId: BENCH_CLIENT.id, credential, hashAlgorithm: HASH_ALGORITHMS.sha256 },
    numSignatures: documents.length,
    items: documents.map((document) => ({
      digest: Buffer.from(digestOf(document), 'base64'),
      label: null,
    })),
    ...{ description: null, clientData: null },
  })
  const authorisationId = randomUUID()
  const granted = transaction && (await activations.grant(authorisationId, transaction, ['otp']))
  if (!granted) throw new Error('the transaction ran out')
  const token = await addToken(services, { scope: 'credential', userId, grantId: authorisationId })
  return { token, authorisationId }
}

async function addToken(
  { oauthRecords, secrets, now }: Services,
  parts: { readonly scope: string; readonly userId: string; readonly grantId: string },
): Promise<string> {
  const { scope, userId: accountId, grantId } = parts
  const adapter = (model: string) => new RecordAdapter(model, oauthRecords, secrets, now)
  const owner = { accountId, clientId: BENCH_CLIENT.id }
  await adapter('Grant').upsert(grantId, { ...owner, kind: 'Grant' }, TOKEN_SECONDS)
  const token = randomBytes(32).toString('base64url')
  await adapter('AccessToken').upsert(
    token,
    { ...owner, kind: 'AccessToken', grantId, scope },
    TOKEN_SECONDS,
  )
  return token
}
