import { Type, type Static } from '@sinclair/typebox'
import { CertificateAuthoritySchema } from './certificate-authority.js'
import { IdentityProvidersSchema } from './identity-providers.js'
import { TimestampingSchema } from './timestamping.js'
import { ValidationSchema } from './validation.js'
import { VerificationSchema } from './verification.js'

const closed = { additionalProperties: false }

const OPTIONAL_ATTRIBUTES = [
  'allowedMechanisms',
  'local',
  'modifiable',
  'copyable',
  'signRecover',
  'derive',
] as const

/** Everything an operator can set. docs/configuration.md is generated from these descriptions. */
export const ConfigSchema = Type.Object(
  {
    baseUrl: Type.String({
      pattern: '^https?://[^/?#@]+$',
      description:
        'Public base URL, scheme and host without a path; also the OAuth issuer. Never taken from a request.',
    }),
    listen: Type.Object(
      {
        host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
        port: Type.Integer({ minimum: 0, maximum: 65535, default: 8700, description: 'TCP port.' }),
        keepAliveSeconds: Type.Integer({
          minimum: 1,
          maximum: 600,
          default: 5,
          description:
            'How long an idle connection is kept open. A load balancer has to close its own sooner, or it sends requests into connections that we are closing.',
        }),
        leaveSeconds: Type.Integer({
          minimum: 0,
          maximum: 300,
          default: 0,
          description:
            'How long a process that was told to stop still takes requests while /health/ready already says no: as long as a load balancer needs to notice.',
        }),
        silentSeconds: Type.Integer({
          minimum: 2,
          maximum: 3600,
          default: 30,
          description:
            'How long a worker of "serve --workers" may not react at all before it is killed and replaced. One that is merely busy reacts between two tasks; reading a large document is one.',
        }),
      },
      { ...closed, default: {} },
    ),
    database: Type.String({
      pattern: '^(file:.+|postgres(ql)?://.+)',
      description:
        'SQLite database, as file:PATH, or PostgreSQL, as postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full. A relative path starts at the configuration file. The environment variable OPENRSSP_DATABASE_URL takes its place.',
    }),
    databaseConnections: Type.Integer({
      minimum: 1,
      maximum: 200,
      default: 8,
      description:
        'Most connections with which a process reads from PostgreSQL, at least two; it writes with one more, and the key process reads with two.',
    }),
    auditHeadFile: Type.Optional(
      Type.String({
        description:
          'File that keeps the newest audit head, so that a cut tail is noticed. Best on another disk. Default: beside the database.',
      }),
    ),
    secretsFile: Type.String({
      description:
        'File (mode 0600) with 32 random bytes, hexadecimal: seals secrets at rest and signs cookies.',
    }),
    hsm: Type.Object(
      {
        module: Type.String({ description: 'Path of the PKCS#11 library.' }),
        tokenLabel: Type.String({ description: 'Label of the token that holds the keys.' }),
        pinFile: Type.String({
          description: 'File (mode 0600) with the user PIN; never the PIN itself.',
        }),
        environment: Type.Record(Type.String(), Type.String(), {
          default: {},
          description: 'Environment variables for the PKCS#11 library, such as SOFTHSM2_CONF.',
        }),
        sessions: Type.Integer({
          minimum: 1,
          maximum: 256,
          default: 8,
          description: 'Sessions kept open to the token.',
        }),
        custody: Type.Union([Type.Literal('resident'), Type.Literal('wrapped')], {
          default: 'resident',
          description:
            'Where keys of new credentials are kept: in the token, or (wrapped) in the database, readable by the token alone. Weaker, and without a limit of keys; see hsm.md.',
        }),
        wrappingKey: Type.String({
          pattern: '^[A-Za-z0-9_-]{1,32}$',
          default: '1',
          description: 'Which pair of wrapping keys new wrapped keys are kept under.',
        }),
        unwrappedKeys: Type.Integer({
          minimum: 1,
          maximum: 1000000,
          default: 2000,
          description: 'Wrapped keys that are in the token at once, for each process that uses it.',
        }),
        tolerate: Type.Array(Type.Union(OPTIONAL_ATTRIBUTES.map((name) => Type.Literal(name))), {
          default: [],
          description:
            'Attributes of keys that this token cannot have, and need not. "openrssp hsm probe" says which; hsm.md what each means.',
        }),
        libraryParameters: Type.Optional(
          Type.String({
            description: 'What the PKCS#11 library wants to hear at C_Initialize; only NSS does.',
          }),
        ),
        signTimeoutSeconds: Type.Integer({
          minimum: 1,
          maximum: 300,
          default: 10,
          description: 'After this the outcome of a signature counts as unknown, and as used.',
        }),
        moreTokens: Type.Array(
          Type.Object(
            {
              tokenLabel: Type.String(),
              module: Type.Optional(Type.String()),
              pinFile: Type.Optional(Type.String()),
              sessions: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
            },
            closed,
          ),
          {
            default: [],
            description:
              'Further tokens (tokenLabel, and module, pinFile and sessions where they differ from the above). New keys go to any that works; keys that several tokens have, as in a cluster, are used on the least busy one. See hsm-resilience.md.',
          },
        ),
        isolation: Type.Union([Type.Literal('process'), Type.Literal('none')], {
          default: 'process',
          description:
            'Where the PKCS#11 library is loaded and the PIN is known: in a process of its own that checks every approval itself, or (none) in the server, which a library that crashes then takes with it.',
        }),
      },
      closed,
    ),
    service: Type.Object(
      {
        name: Type.String({
          maxLength: 255,
          description: 'Commercial name, shown to signers and in info.',
        }),
        description: Type.String({
          maxLength: 255,
          default: 'Remote signing service',
          description: 'In info.',
        }),
        descriptions: Type.Record(Type.String(), Type.String({ maxLength: 255 }), {
          default: {},
          description: 'The description in further languages, by language tag, such as de.',
        }),
        region: Type.String({
          pattern: '^[A-Z]{2}$',
          description: 'ISO 3166-1 country of establishment.',
        }),
        lang: Type.String({
          default: 'en',
          description: 'Language of texts when a client names none.',
        }),
        logo: Type.Optional(
          Type.String({
            pattern: '^https?://',
            description: 'URI of a JPEG or PNG, at most 256 by 256.',
          }),
        ),
        specs: Type.String({
          pattern: '^[0-9]+(\\.[0-9]+){3}$',
          default: '2.2.0.0',
          description: 'CSC version announced on /csc/v2.',
        }),
        oauthMember: Type.Union(
          (['oauth2', 'oauth2Issuer', 'oauth2Servers'] as const).map((name) => Type.Literal(name)),
          {
            default: 'oauth2',
            description:
              'By which member info of v2 says where the authorization server is: its base URI, which every client can read; its issuer; or a list of servers, which began with 2.2.',
          },
        ),
      },
      closed,
    ),
    lifetimes: Type.Object(
      {
        serviceTokenSeconds: Type.Integer({
          minimum: 60,
          maximum: 86400,
          default: 3600,
          description: 'Service-scope access tokens.',
        }),
        credentialTokenSeconds: Type.Integer({
          minimum: 30,
          maximum: 3600,
          default: 300,
          description: 'Credential-scope access tokens (SAD).',
        }),
        refreshTokenDays: Type.Integer({
          minimum: 1,
          maximum: 365,
          default: 30,
          description: 'Absolute end of a refresh token chain.',
        }),
        authorizationCodeSeconds: Type.Integer({
          minimum: 5,
          maximum: 60,
          default: 60,
          description: 'Authorization codes.',
        }),
        interactionSeconds: Type.Integer({
          minimum: 60,
          maximum: 3600,
          default: 600,
          description: 'How long a signer may take to sign in or approve.',
        }),
        resultSeconds: Type.Integer({
          minimum: 60,
          maximum: 86400,
          default: 3600,
          description:
            'How long the result of asynchronous signing can be fetched when the application names no validity_period.',
        }),
        longestResultSeconds: Type.Integer({
          minimum: 60,
          maximum: 604800,
          default: 86400,
          description: 'Largest validity_period, in seconds.',
        }),
        sessionSeconds: Type.Integer({
          minimum: 60,
          maximum: 86400,
          default: 3600,
          description: 'Sign-in session, absolute.',
        }),
      },
      { ...closed, default: {} },
    ),
    limits: Type.Object(
      {
        bodyBytes: Type.Integer({
          minimum: 1024,
          default: 1048576,
          description: 'Largest JSON body.',
        }),
        documentBytes: Type.Integer({
          minimum: 1024,
          maximum: 268435456,
          default: 20971520,
          description:
            'Largest document; methods that take documents read larger bodies than bodyBytes for it.',
        }),
        formBytes: Type.Integer({
          minimum: 1024,
          default: 131072,
          description: 'Largest form body.',
        }),
        factorFailures: Type.Integer({
          minimum: 1,
          maximum: 20,
          default: 5,
          description: 'Wrong codes or PINs in a row before a credential is locked.',
        }),
        lockSeconds: Type.Integer({
          minimum: 30,
          maximum: 31536000,
          default: 900,
          description: 'How long a credential stays locked.',
        }),
        signInFailures: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'Wrong passwords for one account from one address in the window below.',
        }),
        signInWindowSeconds: Type.Integer({
          minimum: 30,
          maximum: 31536000,
          default: 900,
          description: 'Window for wrong passwords.',
        }),
        pendingApprovals: Type.Integer({
          minimum: 1,
          maximum: 100,
          default: 5,
          description:
            'Requests that may wait at a time for the owner of one credential to decide on another device.',
        }),
        approvalRequestsPerHour: Type.Integer({
          minimum: 1,
          maximum: 10000,
          default: 60,
          description: 'Such requests for one credential within an hour.',
        }),
        sentCodesPerHour: Type.Integer({
          minimum: 1,
          maximum: 100,
          default: 10,
          description: 'Codes sent to one person, and to one address, within an hour.',
        }),
      },
      { ...closed, default: {} },
    ),
    deposits: Type.Object(
      {
        allowed: Type.Boolean({
          default: true,
          description:
            'Whether applications may leave documents for their signers to see before they agree: documents/deposit. See documents.md.',
        }),
        keepSeconds: Type.Integer({
          minimum: 60,
          maximum: 604800,
          default: 3600,
          description: 'How long such a document is kept, sealed, at most.',
        }),
        perApplication: Type.Integer({
          minimum: 1,
          default: 1000,
          description: 'Documents that one application may have here at a time.',
        }),
        bytesPerApplication: Type.Integer({
          minimum: 1024,
          default: 1073741824,
          description: 'Bytes of all of them.',
        }),
      },
      { ...closed, default: {} },
    ),
    overload: Type.Object(
      {
        requestsAtOnce: Type.Integer({
          minimum: 1,
          default: 2000,
          description:
            'Requests that a process reads, keeps waiting or answers at a time; more get 503 with Retry-After.',
        }),
        requestsPerAddress: Type.Integer({
          minimum: 1,
          default: 1000,
          description: 'Of these, how many may come from one address; more get 429.',
        }),
        bodyBytesAtOnce: Type.Integer({
          minimum: 65536,
          default: 134217728,
          description:
            'Bytes of the bodies of all these requests; one address gets half of that, and a body of unknown length counts as limits.bodyBytes.',
        }),
        connections: Type.Integer({
          minimum: 1,
          default: 10000,
          description: 'Connections a process keeps; further ones are closed at once.',
        }),
        workAtOnce: Type.Integer({
          minimum: 1,
          default: 512,
          description:
            'Requests that are worked on at a time, where each hash to be signed counts as one. The others wait, and applications take turns.',
        }),
        waiting: Type.Integer({
          minimum: 0,
          default: 1000,
          description: 'Requests that wait for their turn; more get 503 with Retry-After.',
        }),
        waitingPerClient: Type.Integer({
          minimum: 0,
          default: 250,
          description:
            'Of these, how many may be of one application, or of one address where no application is known yet; more get 429.',
        }),
        waitSeconds: Type.Number({
          exclusiveMinimum: 0,
          maximum: 60,
          default: 5,
          description: 'How long a request waits for its turn before it gets 503.',
        }),
        pagesAtOnce: Type.Integer({
          minimum: 1,
          default: 256,
          description:
            'The same for pages and for the OAuth endpoints, where addresses take turns; they also wait in a line of their own.',
        }),
        pagesPerAddress: Type.Integer({
          minimum: 1,
          default: 64,
          description: 'Of these, how many may come from one address.',
        }),
        pkiAtOnce: Type.Integer({
          minimum: 1,
          default: 256,
          description:
            'The same for OCSP, revocation lists and /tsa, which are for everybody; they, too, wait in a line of their own.',
        }),
        pkiPerAddress: Type.Integer({
          minimum: 1,
          default: 64,
          description: 'Of these, how many may come from one address.',
        }),
        longPolls: Type.Integer({
          minimum: 1,
          default: 1000,
          description: 'Requests that wait for a person to decide (CSC v1).',
        }),
        longPollsPerClient: Type.Integer({
          minimum: 1,
          default: 100,
          description: 'Of these, how many may be of one application.',
        }),
        passwordsWaiting: Type.Integer({
          minimum: 1,
          default: 100,
          description:
            'Passwords and PINs that wait to be checked, two at a time; more get 503. Addresses take turns.',
        }),
        commitsWaiting: Type.Integer({
          minimum: 1,
          default: 5000,
          description:
            'Units of work that wait for the database; more are refused, unless they conclude what was begun.',
        }),
      },
      { ...closed, default: {} },
    ),
    metrics: Type.Object(
      {
        listen: Type.Optional(
          Type.Object(
            {
              host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
              port: Type.Integer({ minimum: 0, maximum: 65535, description: 'TCP port.' }),
            },
            {
              ...closed,
              description:
                'Where /metrics answers Prometheus, apart from everything else. The sandbox answers it on its own port when this is absent.',
            },
          ),
        ),
        tokenFile: Type.Optional(
          Type.String({
            description:
              'File (mode 0600) with a token that Prometheus has to send as Bearer. Without it, whoever reaches the address may read.',
          }),
        ),
      },
      { ...closed, default: {} },
    ),
    tracing: Type.Optional(
      Type.Object(
        {
          endpoint: Type.Optional(
            Type.String({
              pattern: '^https?://',
              description:
                'Where spans are sent, OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. When absent, the OTEL_EXPORTER_OTLP_* variables of the environment say it.',
            }),
          ),
          sample: Type.Number({
            minimum: 0,
            maximum: 1,
            default: 1,
            description: 'Share of traces that is kept.',
          }),
        },
        {
          ...closed,
          description:
            'OpenTelemetry traces. Off when absent, unless the environment names OTEL_EXPORTER_OTLP_ENDPOINT.',
        },
      ),
    ),
    certificateAuthority: CertificateAuthoritySchema,
    notices: Type.Object(
      {
        mail: Type.Boolean({
          default: true,
          description:
            'Whether signers are told by mail of signatures, refused attempts and changes to their account. Needs mail.',
        }),
        everySeconds: Type.Integer({
          minimum: 1,
          maximum: 86400,
          default: 30,
          description: 'How often such mails are sent; what happens in between is one mail.',
        }),
      },
      { ...closed, default: {} },
    ),
    mail: Type.Optional(
      Type.Union(
        [
          Type.Object(
            {
              transport: Type.Literal('smtp'),
              host: Type.String({ description: 'SMTP server.' }),
              port: Type.Integer({ minimum: 1, maximum: 65535 }),
              from: Type.String({ description: 'Sender address.' }),
              user: Type.Optional(Type.String()),
              passwordFile: Type.Optional(Type.String()),
              caFile: Type.Optional(Type.String()),
              allowPlainText: Type.Optional(Type.Boolean()),
            },
            closed,
          ),
          Type.Object({ transport: Type.Literal('outbox'), folder: Type.String() }, closed),
        ],
        {
          description:
            'How codes reach signers by e-mail: an SMTP server (transport, host, port, from, user, passwordFile, caFile, allowPlainText), or an outbox folder (transport, folder) for trying out. See factors.md.',
        },
      ),
    ),
    sms: Type.Optional(
      Type.Union(
        [
          Type.Object(
            {
              transport: Type.Literal('http'),
              url: Type.String({ pattern: '^https?://' }),
              method: Type.Optional(
                Type.Union([Type.Literal('POST'), Type.Literal('PUT'), Type.Literal('PATCH')]),
              ),
              headers: Type.Optional(Type.Record(Type.String(), Type.String())),
              headerFiles: Type.Optional(Type.Record(Type.String(), Type.String())),
              body: Type.Union([
                Type.Object({ format: Type.Literal('json'), template: Type.Unknown() }, closed),
                Type.Object(
                  {
                    format: Type.Literal('form'),
                    template: Type.Record(Type.String(), Type.String()),
                  },
                  closed,
                ),
              ]),
              timeoutSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60 })),
            },
            closed,
          ),
          Type.Object({ transport: Type.Literal('outbox'), folder: Type.String() }, closed),
        ],
        {
          description:
            'How codes reach signers by text message: an HTTP gateway (transport, url, method, headers, headerFiles, body with format and template, timeoutSeconds), or an outbox folder (transport, folder) for trying out. See factors.md.',
        },
      ),
    ),
    policy: Type.Object(
      {
        extendTransaction: Type.Union(
          [Type.Literal('explicit'), Type.Literal('always'), Type.Literal('never')],
          {
            default: 'explicit',
            description:
              'Whether credentials/extendTransaction may bring new hashes: for credentials authorised explicitly; always, also for what was approved on our own pages, so that up to the agreed number an application can have hashes signed that the signer was not shown; or never.',
          },
        ),
        authLogin: Type.Optional(
          Type.Object(
            {
              client: Type.String({
                description:
                  'Application, by client_id, to which the tokens of auth/login belong. Naming one switches auth/login on: passwords then pass through applications, which the CSC API itself discourages. People who sign in with a one-time code cannot use it.',
              }),
            },
            closed,
          ),
        ),
        signDocAllowBoth: Type.Boolean({
          default: false,
          description:
            'Whether one call of signDoc may have documents and documentDigests; the specification both shows and refuses that.',
        }),
        responseUriHosts: Type.Array(Type.String({ pattern: '^[a-z0-9.-]+(:[0-9]+)?$' }), {
          default: [],
          description:
            'Hosts, with a port unless it is 443, at which applications may be told that the result of asynchronous signing is there (response_uri). Only over https, and only at public addresses.',
        }),
        documentHosts: Type.Array(
          Type.Object(
            {
              host: Type.String({ pattern: '^[a-z0-9.-]+(:[0-9]+)?$' }),
              clients: Type.Optional(Type.Array(Type.String())),
            },
            closed,
          ),
          {
            default: [],
            description:
              'Hosts, with a port unless it is 443, from which signDoc fetches documents that applications name by href, each for the applications of these client_ids or for all. Only over https, and only at public addresses.',
          },
        ),
        sadSeconds: Type.Integer({
          minimum: 30,
          maximum: 3600,
          default: 300,
          description: 'Lifetime of a SAD from credentials/authorize.',
        }),
        browserOrigins: Type.Array(Type.String({ pattern: '^https?://[a-z0-9.-]+(:[0-9]+)?$' }), {
          default: [],
          description:
            'Origins of signature applications that run in the browser: their pages may call the API and the OAuth endpoints that applications call (CORS). Pages of all other origins may not.',
        }),
        dpopNonce: Type.Union([Type.Literal('never'), Type.Literal('always')], {
          default: 'never',
          description:
            'Whether DPoP proofs must carry a nonce of ours (RFC 9449, 8 and 9), so that none can be made ahead. Costs applications one more request now and then.',
        }),
      },
      { ...closed, default: {} },
    ),
    newCredentials: Type.Object(
      {
        allowed: Type.Boolean({
          default: true,
          description:
            'Whether applications may make credentials for a signer who agrees, and delete them: credentials/create and credentials/delete.',
        }),
        algorithm: Type.Union(
          (['p-256', 'p-384', 'p-521', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const).map((name) =>
            Type.Literal(name),
          ),
          { default: 'p-256', description: 'Kind of key they get.' },
        ),
        multisign: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'Most signatures one approval of theirs may cover.',
        }),
        perPerson: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'Most credentials one signer can have, revoked and deleted ones apart.',
        }),
        perPersonPerHour: Type.Integer({
          minimum: 1,
          default: 20,
          description: 'Most credentials that are made for one signer within an hour.',
        }),
        perApplicationPerHour: Type.Integer({
          minimum: 1,
          default: 1000,
          description: 'Most credentials that one application has made within an hour.',
        }),
        custody: Type.Optional(
          Type.Union([Type.Literal('resident'), Type.Literal('wrapped')], {
            description: 'Where their keys are kept, when not as hsm.custody says.',
          }),
        ),
        keysAhead: Type.Integer({
          minimum: 0,
          maximum: 10000,
          default: 0,
          description: 'Keys made ahead for them, so that nobody waits for one.',
        }),
        oneTimeWaitSeconds: Type.Integer({
          minimum: 60,
          maximum: 86_400,
          default: 900,
          description:
            'How long a credential for one signing session, made by credentials/create, waits for its owner to approve that session. Its key and certificate are made then.',
        }),
        onTheFly: Type.Array(
          Type.Union(
            [
              ...(['eu_eidas_qes', 'eu_eidas_aes', 'eu_eidas_aesqc'] as const),
              ...(['za_ecta_aes', 'za_ecta_oes'] as const),
            ].map((qualifier) => Type.Literal(qualifier)),
          ),
          {
            default: [],
            description:
              'Values of signatureQualifier for which a signer who has no credential of that kind gets one as they approve, for those signatures alone. Its certificate is that of certificateAuthority.profiles.oneTime.',
          },
        ),
      },
      { ...closed, default: {} },
    ),
    identityProviders: IdentityProvidersSchema,
    timestamping: TimestampingSchema,
    validation: ValidationSchema,
    verification: VerificationSchema,
    proxy: Type.Object(
      {
        trusted: Type.Boolean({
          default: false,
          description: 'Whether X-Forwarded-For of the direct peer is believed.',
        }),
        addresses: Type.Optional(
          Type.Array(Type.String({ pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' }), {
            description:
              'Addresses or networks (CIDR) of the proxies. What others send in X-Forwarded-* and in the certificate header is dropped. When absent, whoever connects is believed.',
          }),
        ),
        clientCertificateHeader: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9-]+$',
            description:
              'Header in which a trusted proxy passes on the certificate of a TLS client that it verified (RFC 9440, or URL-encoded PEM); switches tls_client_auth on. The proxy has to drop what clients send in it.',
          }),
        ),
      },
      { ...closed, default: {} },
    ),
    log: Type.Object(
      {
        level: Type.Union(
          ['silent', 'error', 'warn', 'info', 'debug'].map((level) => Type.Literal(level)),
          { default: 'info', description: 'Least severe log line written.' },
        ),
      },
      { ...closed, default: {} },
    ),
    reference: Type.Boolean({
      default: true,
      description:
        'Whether /reference shows the API to people. The OpenAPI documents are served either way.',
    }),
    sandbox: Type.Boolean({
      default: false,
      description: 'Demo data and the demo application. Refused with NODE_ENV=production.',
    }),
  },
  closed,
)

export type Config = Static<typeof ConfigSchema> & { log: { level: LogLevel } }
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'
