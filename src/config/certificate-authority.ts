import { Type, type Static } from '@sinclair/typebox'
import { isLoopback } from './loopback.js'

const closed = { additionalProperties: false }

const Oid = (description: string) =>
  Type.String({ pattern: '^[0-2](\\.(0|[1-9][0-9]*)){2,}$', description })

const QcStatementsSchema = Type.Object(
  {
    compliance: Type.Boolean({
      default: false,
      description: 'Issued as a qualified certificate of the EU.',
    }),
    sscd: Type.Boolean({
      default: false,
      description: 'The key is in a qualified signature creation device.',
    }),
    type: Type.Optional(
      Type.Union([Type.Literal('esign'), Type.Literal('eseal')], {
        description: 'For electronic signatures or seals.',
      }),
    ),
    disclosures: Type.Array(
      Type.Object(
        {
          url: Type.String({ pattern: '^https://[!-~]+$' }),
          language: Type.String({ pattern: '^[a-z]{2}$' }),
        },
        closed,
      ),
      { default: [], description: 'PKI disclosure statements: HTTPS URLs by language.' },
    ),
  },
  {
    ...closed,
    description: 'What qualified certificates state (EN 319 412-5); nothing when absent.',
  },
)

const profile = {
  policyOid: Type.Optional(Oid('Certificate policy that certificates claim; none when absent.')),
  qcStatements: Type.Optional(QcStatementsSchema),
}

const purposes = {
  keyUsage: Type.Optional(
    Type.Array(Type.Union([Type.Literal('contentCommitment'), Type.Literal('digitalSignature')]), {
      minItems: 1,
      uniqueItems: true,
      description: 'Default: contentCommitment alone.',
    }),
  ),
  extendedKeyUsage: Type.Optional(
    Type.Array(Oid(''), { uniqueItems: true, description: 'OIDs of extended key usages.' }),
  ),
}

const days = (most: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: most, description: 'Validity.' }))

const ProfilesSchema = Type.Object(
  {
    signer: Type.Object(
      { ...profile, ...purposes },
      { ...closed, default: {}, description: 'People who sign.' },
    ),
    seal: Type.Object(
      { validityDays: days(1095), ...profile, ...purposes },
      { ...closed, default: {}, description: 'Organisations that seal.' },
    ),
    oneTime: Type.Object(
      {
        validitySeconds: Type.Optional(
          Type.Integer({ minimum: 10, maximum: 86_400, description: 'Validity; 60 when absent.' }),
        ),
        ...profile,
      },
      {
        ...closed,
        default: {},
        description:
          'Keys for one signing session, which applications ask for by this policyOid in credentials/create; without one of its own, nobody gets any.',
      },
    ),
    tsa: Type.Object(
      { validityDays: days(3650), policyOid: profile.policyOid },
      { ...closed, default: {}, description: 'Our own timestamping service.' },
    ),
  },
  { ...closed, default: {}, description: 'What certificates of each kind say.' },
)

const ownKey = (byDefault: string, whose: string) =>
  Type.Object(
    {
      algorithm: Type.Union(
        (['p-256', 'p-384', 'p-521', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const).map((name) =>
          Type.Literal(name),
        ),
        { default: byDefault, description: 'Kind of key.' },
      ),
      hash: Type.Optional(
        Type.Union(
          (['sha256', 'sha384', 'sha512'] as const).map((name) => Type.Literal(name)),
          { description: 'Hash it signs with; the one that fits the key when absent.' },
        ),
      ),
    },
    { ...closed, default: {}, description: whose },
  )

const KeysSchema = Type.Object(
  {
    root: ownKey('p-384', 'The root. Its key is made at the first start and never again.'),
    issuing: ownKey('p-384', 'The issuing authority, whose key is made then, too.'),
    ocsp: ownKey('p-256', 'The OCSP responder, from its next key on (authority renew ocsp).'),
    tsa: ownKey('p-256', 'The time-stamping unit, from its next key on (authority renew tsa).'),
  },
  {
    ...closed,
    default: {},
    description: 'Keys of the authorities and of their services. RSA keys sign by PKCS #1 v1.5.',
  },
)

/** Where certificates of others are asked for, and how they know us. */
const remote = {
  tlsCaFile: Type.Optional(
    Type.String({
      description: 'PEM file with the CAs of its TLS certificate; default: those of Node.js.',
    }),
  ),
  clientCertificateFile: Type.Optional(
    Type.String({ description: 'PEM file with our TLS certificate there.' }),
  ),
  clientKeyFile: Type.Optional(Type.String({ description: 'PEM file (mode 0600) with its key.' })),
  anchorsFile: Type.String({
    description: 'PEM file with the roots under which its certificates are.',
  }),
  // 20 when absent: alternatives of a union have no defaults.
  timeoutSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 120 })),
}

const Url = Type.String({ pattern: '^https?://[^/?#@\\s]+[^?#\\s]*$' })

const IssuerSchema = Type.Union(
  [
    Type.Object({ kind: Type.Literal('embedded') }, closed),
    Type.Object(
      {
        kind: Type.Literal('est'),
        url: Url,
        user: Type.Optional(Type.String({ minLength: 1 })),
        passwordFile: Type.Optional(Type.String()),
        ...remote,
      },
      closed,
    ),
    Type.Object(
      {
        kind: Type.Literal('ejbca'),
        url: Url,
        authorityName: Type.String({ minLength: 1 }),
        certificateProfile: Type.String({ minLength: 1 }),
        endEntityProfile: Type.String({ minLength: 1 }),
        ...remote,
      },
      closed,
    ),
  ],
  {
    default: { kind: 'embedded' },
    description:
      'Who certifies keys of signers: the embedded authority (kind embedded), a CA that speaks EST (est: url, anchorsFile; user with passwordFile, clientCertificateFile with clientKeyFile, tlsCaFile, timeoutSeconds), or EJBCA by its REST interface (ejbca: also authorityName, certificateProfile, endEntityProfile). See certificates.md.',
  },
)

export const CertificateAuthoritySchema = Type.Object(
  {
    organization: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'O of the embedded certification authority.',
    }),
    country: Type.String({
      pattern: '^[A-Z]{2}$',
      description: 'C of the embedded certification authority.',
    }),
    signerValidityDays: Type.Integer({
      minimum: 1,
      maximum: 1095,
      default: 730,
      description: 'Validity of signer certificates.',
    }),
    publicationUrl: Type.Optional(
      Type.String({
        pattern: '^https?://[^/?#@]+$',
        description:
          'Base URL that certificates name for revocation lists, OCSP and certificates of authorities. It leads here, best by plain HTTP: what is there is signed, and who checks TLS certificates cannot need one. Default: baseUrl.',
      }),
    ),
    profiles: ProfilesSchema,
    keys: KeysSchema,
    expiredInLists: Type.Boolean({
      default: true,
      description:
        'Whether revoked certificates stay in revocation lists after they ended (expiredCertsOnCRL), for those who validate signatures years later.',
    }),
    issuer: IssuerSchema,
  },
  closed,
)

export type CertificateAuthoritySettings = Static<typeof CertificateAuthoritySchema>
export type IssuerSettings = CertificateAuthoritySettings['issuer']

/** Settings of a remote issuer that are files, and what each holds. */
export const ISSUER_FILES = {
  passwordFile: 'secret',
  clientKeyFile: 'secret',
  tlsCaFile: 'certificates',
  clientCertificateFile: 'certificates',
  anchorsFile: 'certificates',
} as const

type FileName = keyof typeof ISSUER_FILES

/** The same settings, with every file passed through. */
export function mapIssuerFiles(
  issuer: IssuerSettings,
  change: (file: string) => string,
): IssuerSettings {
  if (issuer.kind === 'embedded') return issuer
  const files = Object.entries(issuer).filter(
    (entry): entry is [FileName, string] =>
      Object.hasOwn(ISSUER_FILES, entry[0]) && typeof entry[1] === 'string',
  )
  const changed = Object.fromEntries(files.map(([name, file]) => [name, change(file)]))
  return { ...issuer, ...changed }
}

/** What is wrong with the settings of an issuer as a whole. */
export function issuerProblems(issuer: IssuerSettings): { setting: string; problem: string }[] {
  if (issuer.kind === 'embedded') return []
  const problems = []
  const at = (name: string) => `certificateAuthority.issuer.${name}`
  if ((issuer.clientCertificateFile === undefined) !== (issuer.clientKeyFile === undefined)) {
    const name = issuer.clientKeyFile === undefined ? 'clientKeyFile' : 'clientCertificateFile'
    problems.push({ setting: at(name), problem: 'is missing' })
  }
  const problem = addressProblem(issuer)
  if (problem !== null) problems.push({ setting: at('url'), problem })
  if (
    issuer.kind === 'est' &&
    (issuer.user === undefined) !== (issuer.passwordFile === undefined)
  ) {
    const name = issuer.user === undefined ? 'user' : 'passwordFile'
    problems.push({ setting: at(name), problem: 'is missing' })
  }
  return problems
}

/** EST is nothing without TLS (RFC 7030, 3.3), and EJBCA knows us by TLS alone. */
function addressProblem(issuer: Exclude<IssuerSettings, { kind: 'embedded' }>): string | null {
  if (!URL.canParse(issuer.url)) return 'must be a URL'
  const { protocol, hostname } = new URL(issuer.url)
  const hasPassword = issuer.kind === 'est' && issuer.user !== undefined
  const isOpen = protocol === 'http:' && (hasPassword || !isLoopback(hostname))
  return isOpen ? 'must be https, or everybody on the way reads what is sent' : null
}
