import { readFileSync } from 'node:fs'
import { Type, type Static } from '@sinclair/typebox'
import { Ajv } from 'ajv'
import type { JWK } from 'jose'
import { CannotRun } from './outcome.js'

const closed = { additionalProperties: false }

/** A value as it is, or the name of an environment variable, or a secret for one-time codes. */
const Secret = Type.Union([
  Type.String(),
  Type.Object(
    { env: Type.String({ description: 'Environment variable that holds the value.' }) },
    closed,
  ),
])

const TypedIn = Type.Union([
  Secret,
  Type.Object(
    {
      totp: Type.String({
        description: 'Base32 secret of an authenticator (RFC 6238); the current code is typed in.',
      }),
      drift: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 2,
          description:
            'Periods a code may be early or late (RFC 6238, 5.2): so many more can be had without waiting.',
        }),
      ),
    },
    closed,
  ),
])
export type TypedIn = Static<typeof TypedIn>

const Step = Type.Object(
  {
    field: Type.Optional(Type.String({ description: 'The page has a field of this name.' })),
    button: Type.Optional(Type.String({ description: 'The page has this button: `name=value`.' })),
    text: Type.Optional(Type.String({ description: 'The page has this text.' })),
    fill: Type.Optional(
      Type.Record(Type.String(), TypedIn, {
        description:
          'What to type, by field name; fields the page has not are passed over. Of several choices the one with this value, or these words beside it.',
      }),
    ),
    press: Type.Optional(
      Type.String({ description: 'Button to press, `name=value`; the only one when absent.' }),
    ),
    reject: Type.Optional(Type.String({ description: 'Button by which the signer says no.' })),
  },
  { ...closed, description: 'What to do on a page; the first step that fits the page is taken.' },
)
export type Step = Static<typeof Step>

const SignIn = Type.Union(
  [
    Type.Object(
      { by: Type.Literal('form'), steps: Type.Array(Step, { minItems: 1 }) },
      { ...closed, description: 'Pages are HTML forms that work without JavaScript.' },
    ),
    Type.Object(
      {
        by: Type.Literal('browser'),
        steps: Type.Array(Step, { minItems: 1 }),
        executable: Type.Optional(Type.String({ description: 'Path of Chromium.' })),
      },
      { ...closed, description: 'Pages need JavaScript: a headless browser takes the same steps.' },
    ),
    Type.Object(
      { by: Type.Literal('person') },
      {
        ...closed,
        description: 'Addresses are printed; a person opens them and pastes where it ended.',
      },
    ),
    Type.Object(
      {
        by: Type.Literal('token'),
        serviceToken: Secret,
        credentialTokens: Type.Optional(
          Type.Array(Type.Object({ credentialID: Type.String(), token: Secret }, closed)),
        ),
      },
      { ...closed, description: 'A token somebody got; what needs an approval is skipped.' },
    ),
  ],
  { description: 'How the signer signs in and approves.' },
)
export type SignIn = Static<typeof SignIn>

const PrivateKey = Type.Union(
  [
    Type.Object(
      { env: Type.String({ description: 'Environment variable that holds the JWK.' }) },
      closed,
    ),
    Type.Object(
      { kty: Type.String(), alg: Type.String(), kid: Type.Optional(Type.String()) },
      { additionalProperties: true },
    ),
  ],
  { description: 'Private key of private_key_jwt (RFC 7523), as a JWK with its alg.' },
)
type PrivateKey = Static<typeof PrivateKey>

const Client = Type.Object(
  {
    client_id: Type.String(),
    client_secret: Type.Optional(Secret),
    redirect_uri: Type.String(),
    authentication: Type.Optional(
      Type.Union(
        (['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const).map(
          (method) => Type.Literal(method),
        ),
        { description: 'Absent: by its key or, with a secret, basic; none without either.' },
      ),
    ),
    privateKey: Type.Optional(PrivateKey),
    clientCredentials: Type.Optional(
      Type.Boolean({ description: 'Whether it may use the client_credentials grant.' }),
    ),
    userID: Type.Optional(
      Type.String({ description: 'Whose credentials it may list with a token of its own.' }),
    ),
  },
  closed,
)

const Signer = Type.Object(
  {
    signIn: SignIn,
    credentials: Type.Optional(
      Type.Array(Type.String(), { description: 'Credentials that may be used; all when absent.' }),
    ),
    authData: Type.Optional(
      Type.Record(Type.String(), TypedIn, {
        description:
          'Answers to auth.objects of explicit credentials, by id; in v1 `PIN` and `OTP`.',
      }),
    ),
    basic: Type.Optional(
      Type.Object(
        { username: Type.String(), password: Secret },
        { ...closed, description: 'For auth/login.' },
      ),
    ),
    accountID: Type.Optional(
      Type.String({ description: 'What the application calls this person in an account_token.' }),
    ),
  },
  closed,
)

const Consume = Type.Object(
  {
    approvals: Type.Optional(
      Type.Integer({ minimum: 0, default: 200, description: 'Approvals by signers, at most.' }),
    ),
    signatures: Type.Optional(
      Type.Integer({ minimum: 0, default: 500, description: 'Signatures, at most.' }),
    ),
    wrongFactors: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether wrong PINs and codes may be tried.' }),
    ),
    lock: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether a credential may be locked for a while.',
      }),
    ),
    create: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether credentials may be made and deleted.' }),
    ),
    waitSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        default: 35,
        description: 'Longest wait for something to expire, or for the next one-time code.',
      }),
    ),
    waitSecondsInAll: Type.Optional(
      Type.Integer({ minimum: 0, description: 'All waits together; unbounded when absent.' }),
    ),
  },
  { ...closed, description: 'What the run may use up.' },
)

const Announcements = Type.Object(
  {
    responseUri: Type.String({
      pattern: '^https?://',
      description: 'Where the service reaches this listener.',
    }),
    listen: Type.Object(
      { host: Type.String({ default: '127.0.0.1' }), port: Type.Integer({ minimum: 0 }) },
      { ...closed, description: 'Where it listens on this machine.' },
    ),
    tls: Type.Optional(
      Type.Object(
        { keyFile: Type.String(), certificateFile: Type.String() },
        { ...closed, description: 'PEM; absent where a proxy before it speaks TLS.' },
      ),
    ),
  },
  { ...closed, description: 'Where results of asynchronous signing are announced to.' },
)

/** Everything a run has to know of a server; `target.schema.json` of the documentation is made from it. */
export const TargetSchema = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Title of the report.' })),
    baseUrl: Type.String({
      pattern: '^https?://',
      description: 'Base URI of the API; ends in /csc/v2, /csc/v1 or /csc/v0.',
    }),
    version: Type.Optional(
      Type.Union([Type.Literal('v2'), Type.Literal('v1'), Type.Literal('v0')], {
        description: 'Absent: as the base URI says.',
      }),
    ),
    oauth2: Type.Optional(
      Type.String({ description: 'Base of the OAuth endpoints, where `info` does not say it.' }),
    ),
    client: Client,
    otherClient: Type.Optional({
      ...Client,
      description: 'A second application, to see that it cannot use what the first was given.',
    }),
    keyClient: Type.Optional({
      ...Client,
      description: 'An application that authenticates with a private key, to try private_key_jwt.',
    }),
    announcements: Type.Optional(Announcements),
    onTheFly: Type.Optional(
      Type.String({
        description:
          'A signatureQualifier that no credential of the first signer has: one is made as they approve.',
      }),
    ),
    signers: Type.Array(Signer, {
      minItems: 1,
      description: 'The first does most; a second shows that people are kept apart.',
    }),
    consume: Type.Optional(Consume),
    refusalsSpend: Type.Optional(
      Type.Boolean({
        description: 'A refused signHash uses the authorization up: get one for each.',
      }),
    ),
    advance: Type.Optional(
      Type.String({
        description: 'Test servers: POST {"seconds": n} to this address moves their clock.',
      }),
    ),
    clockSkewSeconds: Type.Optional(Type.Integer({ description: 'Server minus this machine.' })),
  },
  { ...closed, title: 'Target of openrssp-conformance' },
)
export type Target = Static<typeof TargetSchema>
export type ClientSettings = Target['client']
export type SignerSettings = Target['signers'][number]

/** @throws {CannotRun} with all that is wrong, by path */
export function checkTarget(value: unknown): Target {
  const validate = new Ajv({
    allErrors: true,
    useDefaults: true,
    allowUnionTypes: true,
  }).compile<Target>(TargetSchema)
  if (validate(value)) return value
  const problems = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const extra = (params as { additionalProperty?: string }).additionalProperty
    return `  ${instancePath || '/'} ${message ?? ''}${extra ? `: ${extra}` : ''}`
  })
  throw new CannotRun(`The configuration is wrong:\n${[...new Set(problems)].join('\n')}`)
}

/** @throws {CannotRun} */
export function loadTarget(file: string): Target {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new CannotRun(`Cannot read ${file}: ${error instanceof Error ? error.message : ''}`)
  }
  return checkTarget(value)
}

/** @throws {CannotRun} when the environment does not hold it */
export function reveal(secret: string | { readonly env: string }): string {
  if (typeof secret === 'string') return secret
  const value = process.env[secret.env]
  if (value === undefined) throw new CannotRun(`Environment variable ${secret.env} is not set`)
  return value
}

/** @throws {CannotRun} when the environment does not hold it */
export function revealKey(key: PrivateKey): JWK {
  if (!('env' in key) || typeof key.env !== 'string') return key as JWK
  try {
    return JSON.parse(reveal({ env: key.env })) as JWK
  } catch (error) {
    if (error instanceof CannotRun) throw error
    throw new CannotRun(`Environment variable ${key.env} holds no JWK`)
  }
}

/** All values of the configuration that must not appear in a report. */
export function secretsOf({ client, otherClient, keyClient, signers }: Target): string[] {
  const typed = (values: Readonly<Record<string, TypedIn>> = {}) =>
    Object.entries(values)
      .filter(([name]) => !/user|login|mail|credential/i.test(name))
      .map(([, value]) =>
        typeof value === 'object' && 'totp' in value ? value.totp : reveal(value),
      )
  return [
    ...[client, otherClient, keyClient].flatMap((each) => [
      ...(each?.client_secret === undefined ? [] : [reveal(each.client_secret)]),
      ...(each?.privateKey === undefined ? [] : [revealKey(each.privateKey).d ?? '']),
    ]),
    ...signers.flatMap(({ signIn, authData, basic }) => [
      ...typed(authData),
      ...(basic ? [reveal(basic.password)] : []),
      ...('steps' in signIn ? signIn.steps.flatMap(({ fill }) => typed(fill)) : []),
      ...(signIn.by === 'token' ? [reveal(signIn.serviceToken)] : []),
    ]),
  ]
}
