-- CreateTable
CREATE TABLE "User" (
    "id" TEXT NOT NULL,
    "username" TEXT NOT NULL,
    "displayName" TEXT NOT NULL,
    "givenName" TEXT NOT NULL,
    "surname" TEXT NOT NULL,
    "email" TEXT,
    "phone" TEXT,
    "country" TEXT,
    "passwordHash" TEXT NOT NULL,
    "totpSecret" TEXT,
    "totpLastStep" BIGINT NOT NULL DEFAULT -1,
    "otpAtSignIn" BOOLEAN NOT NULL DEFAULT false,
    "lang" TEXT,
    "signatureNotices" BOOLEAN NOT NULL DEFAULT true,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "disabledAt" TIMESTAMP(3),

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Identity" (
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "linkedAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Identity_pkey" PRIMARY KEY ("issuer","subject")
);

-- CreateTable
CREATE TABLE "Passkey" (
    "id" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "publicKey" TEXT NOT NULL,
    "counter" BIGINT NOT NULL,
    "transports" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "lastUsedAt" TIMESTAMP(3),

    CONSTRAINT "Passkey_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "PasskeyChallenge" (
    "idHash" TEXT NOT NULL,
    "salt" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "PasskeyChallenge_pkey" PRIMARY KEY ("idHash")
);

-- CreateTable
CREATE TABLE "Client" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "secret" TEXT,
    "redirectUris" TEXT NOT NULL,
    "grantTypes" TEXT NOT NULL,
    "authMethod" TEXT NOT NULL,
    "jwks" TEXT,
    "tlsSubjectDn" TEXT,
    "requirePushedForCredential" BOOLEAN NOT NULL DEFAULT false,
    "introspectsAll" BOOLEAN NOT NULL DEFAULT false,
    "dpopBoundAccessTokens" BOOLEAN NOT NULL DEFAULT false,
    "tlsClientCertificateBoundAccessTokens" BOOLEAN NOT NULL DEFAULT false,
    "quirks" TEXT NOT NULL DEFAULT '[]',
    "createdAt" TIMESTAMP(3) NOT NULL,
    "disabledAt" TIMESTAMP(3),

    CONSTRAINT "Client_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Credential" (
    "id" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "keyAlgorithm" TEXT NOT NULL,
    "certificates" TEXT NOT NULL,
    "SCAL" TEXT NOT NULL,
    "multisign" BIGINT NOT NULL,
    "authMode" TEXT NOT NULL,
    "authObjects" TEXT NOT NULL DEFAULT '[]',
    "authExpression" TEXT,
    "signatureQualifier" TEXT,
    "ownerClientId" TEXT,
    "pinHash" TEXT,
    "approvalFactor" TEXT DEFAULT 'otp',
    "binding" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "suspendedBy" TEXT,
    "failedAttempts" BIGINT NOT NULL DEFAULT 0,
    "lockedUntil" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL,
    "statusChangedAt" TIMESTAMP(3),

    CONSTRAINT "Credential_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Transaction" (
    "id" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "hashAlgorithm" TEXT,
    "numSignatures" BIGINT NOT NULL,
    "description" TEXT,
    "clientData" TEXT,
    "items" TEXT NOT NULL,
    "grantId" TEXT,
    "state" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Transaction_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Authorisation" (
    "id" TEXT NOT NULL,
    "transactionId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "hashAlgorithm" TEXT,
    "numSignatures" BIGINT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "revokedAt" TIMESTAMP(3),
    "extendedAt" TIMESTAMP(3),

    CONSTRAINT "Authorisation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ApprovalRequest" (
    "transactionId" TEXT NOT NULL,
    "handleHash" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "factors" TEXT NOT NULL,
    "collectedAt" TIMESTAMP(3),
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "ApprovalRequest_pkey" PRIMARY KEY ("transactionId")
);

-- CreateTable
CREATE TABLE "Sad" (
    "idHash" TEXT NOT NULL,
    "authorisationId" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "operationId" TEXT,
    "endedAt" TIMESTAMP(3),

    CONSTRAINT "Sad_pkey" PRIMARY KEY ("idHash")
);

-- CreateTable
CREATE TABLE "RepeatableSigning" (
    "keyHash" TEXT NOT NULL,
    "requestHash" TEXT NOT NULL,
    "operationId" TEXT NOT NULL,
    "rows" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "RepeatableSigning_pkey" PRIMARY KEY ("keyHash")
);

-- CreateTable
CREATE TABLE "SigningJob" (
    "idHash" TEXT NOT NULL,
    "operationId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "rows" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "announcement" TEXT,
    "attempts" BIGINT NOT NULL DEFAULT 0,
    "announceAt" TIMESTAMP(3),

    CONSTRAINT "SigningJob_pkey" PRIMARY KEY ("idHash")
);

-- CreateTable
CREATE TABLE "SentCode" (
    "id" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "factor" TEXT NOT NULL,
    "binding" TEXT NOT NULL DEFAULT '',
    "codeHash" TEXT NOT NULL,
    "sentAt" TIMESTAMP(3) NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "spentAt" TIMESTAMP(3),

    CONSTRAINT "SentCode_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "PendingAuthenticator" (
    "userId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "totpSecret" TEXT NOT NULL,
    "proof" TEXT NOT NULL,
    "proofHash" TEXT,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "PendingAuthenticator_pkey" PRIMARY KEY ("userId")
);

-- CreateTable
CREATE TABLE "RecoveryCode" (
    "userId" TEXT NOT NULL,
    "codeHash" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),

    CONSTRAINT "RecoveryCode_pkey" PRIMARY KEY ("userId","codeHash")
);

-- CreateTable
CREATE TABLE "EnrolmentCode" (
    "userId" TEXT NOT NULL,
    "codeHash" TEXT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),

    CONSTRAINT "EnrolmentCode_pkey" PRIMARY KEY ("userId")
);

-- CreateTable
CREATE TABLE "AuthorisedDigest" (
    "id" TEXT NOT NULL,
    "authorisationId" TEXT NOT NULL,
    "position" BIGINT NOT NULL,
    "digest" TEXT,
    "label" TEXT,
    "state" TEXT NOT NULL,
    "operationId" TEXT,
    "reservedUntil" TIMESTAMP(3),
    "signature" TEXT,
    "signAlgorithm" TEXT,
    "settledAt" TIMESTAMP(3),

    CONSTRAINT "AuthorisedDigest_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "OAuthRecord" (
    "model" TEXT NOT NULL,
    "idHash" TEXT NOT NULL,
    "grantId" TEXT,
    "uidHash" TEXT,
    "accountId" TEXT,
    "clientId" TEXT,
    "payload" TEXT NOT NULL,
    "consumedAt" TIMESTAMP(3),
    "revokedAt" TIMESTAMP(3),
    "expiresAt" TIMESTAMP(3),

    CONSTRAINT "OAuthRecord_pkey" PRIMARY KEY ("model","idHash")
);

-- CreateTable
CREATE TABLE "Throttle" (
    "key" TEXT NOT NULL,
    "count" BIGINT NOT NULL,
    "windowEnd" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "Throttle_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "AccountEvent" (
    "seq" BIGINT NOT NULL,
    "userId" TEXT NOT NULL,
    "at" TIMESTAMP(3) NOT NULL,
    "event" TEXT NOT NULL,
    "detail" TEXT NOT NULL,

    CONSTRAINT "AccountEvent_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "Notice" (
    "id" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "entries" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "nextTryAt" TIMESTAMP(3) NOT NULL,
    "tries" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "Notice_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "AuditRecord" (
    "seq" BIGINT NOT NULL,
    "at" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "prevHash" TEXT NOT NULL,
    "hash" TEXT NOT NULL,

    CONSTRAINT "AuditRecord_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "AuthorityKey" (
    "name" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "certificate" BYTEA NOT NULL,

    CONSTRAINT "AuthorityKey_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "Installation" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "Installation_pkey" PRIMARY KEY ("name")
);

-- CreateIndex
CREATE UNIQUE INDEX "User_username_key" ON "User"("username");

-- CreateIndex
CREATE UNIQUE INDEX "Identity_userId_issuer_key" ON "Identity"("userId", "issuer");

-- CreateIndex
CREATE INDEX "Passkey_userId_idx" ON "Passkey"("userId");

-- CreateIndex
CREATE INDEX "PasskeyChallenge_expiresAt_idx" ON "PasskeyChallenge"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "Credential_keyId_key" ON "Credential"("keyId");

-- CreateIndex
CREATE INDEX "Credential_userId_idx" ON "Credential"("userId");

-- CreateIndex
CREATE INDEX "Transaction_grantId_idx" ON "Transaction"("grantId");

-- CreateIndex
CREATE INDEX "Transaction_expiresAt_idx" ON "Transaction"("expiresAt");

-- CreateIndex
CREATE INDEX "Transaction_userId_createdAt_idx" ON "Transaction"("userId", "createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "Authorisation_transactionId_key" ON "Authorisation"("transactionId");

-- CreateIndex
CREATE INDEX "Authorisation_credentialId_idx" ON "Authorisation"("credentialId");

-- CreateIndex
CREATE INDEX "Authorisation_userId_expiresAt_idx" ON "Authorisation"("userId", "expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "ApprovalRequest_handleHash_key" ON "ApprovalRequest"("handleHash");

-- CreateIndex
CREATE INDEX "ApprovalRequest_userId_idx" ON "ApprovalRequest"("userId");

-- CreateIndex
CREATE INDEX "ApprovalRequest_credentialId_idx" ON "ApprovalRequest"("credentialId");

-- CreateIndex
CREATE INDEX "ApprovalRequest_expiresAt_idx" ON "ApprovalRequest"("expiresAt");

-- CreateIndex
CREATE INDEX "Sad_authorisationId_idx" ON "Sad"("authorisationId");

-- CreateIndex
CREATE INDEX "Sad_operationId_idx" ON "Sad"("operationId");

-- CreateIndex
CREATE INDEX "Sad_expiresAt_idx" ON "Sad"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "RepeatableSigning_operationId_key" ON "RepeatableSigning"("operationId");

-- CreateIndex
CREATE INDEX "RepeatableSigning_createdAt_idx" ON "RepeatableSigning"("createdAt");

-- CreateIndex
CREATE UNIQUE INDEX "SigningJob_operationId_key" ON "SigningJob"("operationId");

-- CreateIndex
CREATE INDEX "SigningJob_expiresAt_idx" ON "SigningJob"("expiresAt");

-- CreateIndex
CREATE INDEX "SigningJob_announceAt_idx" ON "SigningJob"("announceAt");

-- CreateIndex
CREATE INDEX "SentCode_credentialId_clientId_factor_idx" ON "SentCode"("credentialId", "clientId", "factor");

-- CreateIndex
CREATE INDEX "SentCode_expiresAt_idx" ON "SentCode"("expiresAt");

-- CreateIndex
CREATE INDEX "AuthorisedDigest_state_reservedUntil_idx" ON "AuthorisedDigest"("state", "reservedUntil");

-- CreateIndex
CREATE UNIQUE INDEX "AuthorisedDigest_authorisationId_position_key" ON "AuthorisedDigest"("authorisationId", "position");

-- CreateIndex
CREATE INDEX "OAuthRecord_grantId_idx" ON "OAuthRecord"("grantId");

-- CreateIndex
CREATE INDEX "OAuthRecord_uidHash_idx" ON "OAuthRecord"("uidHash");

-- CreateIndex
CREATE INDEX "OAuthRecord_accountId_model_idx" ON "OAuthRecord"("accountId", "model");

-- CreateIndex
CREATE INDEX "OAuthRecord_expiresAt_idx" ON "OAuthRecord"("expiresAt");

-- CreateIndex
CREATE INDEX "Throttle_windowEnd_idx" ON "Throttle"("windowEnd");

-- CreateIndex
CREATE INDEX "AccountEvent_userId_seq_idx" ON "AccountEvent"("userId", "seq");

-- CreateIndex
CREATE INDEX "Notice_nextTryAt_idx" ON "Notice"("nextTryAt");

-- CreateIndex
CREATE UNIQUE INDEX "AuditRecord_hash_key" ON "AuditRecord"("hash");

-- AddForeignKey
ALTER TABLE "Identity" ADD CONSTRAINT "Identity_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Credential" ADD CONSTRAINT "Credential_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "AuthorisedDigest" ADD CONSTRAINT "AuthorisedDigest_authorisationId_fkey" FOREIGN KEY ("authorisationId") REFERENCES "Authorisation"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
