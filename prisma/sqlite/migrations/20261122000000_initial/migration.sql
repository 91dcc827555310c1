-- CreateTable
CREATE TABLE "User" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "username" TEXT NOT NULL,
    "displayName" TEXT NOT NULL,
    "givenName" TEXT NOT NULL,
    "surname" TEXT NOT NULL,
    "email" TEXT,
    "country" TEXT,
    "passwordHash" TEXT NOT NULL,
    "totpSecret" TEXT,
    "totpLastStep" INTEGER NOT NULL DEFAULT -1,
    "otpAtSignIn" BOOLEAN NOT NULL DEFAULT false,
    "lang" TEXT,
    "createdAt" DATETIME NOT NULL,
    "disabledAt" DATETIME
);

-- CreateTable
CREATE TABLE "Identity" (
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "linkedAt" DATETIME NOT NULL,

    PRIMARY KEY ("issuer", "subject"),
    CONSTRAINT "Identity_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Client" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "secret" TEXT,
    "redirectUris" TEXT NOT NULL,
    "grantTypes" TEXT NOT NULL,
    "authMethod" TEXT NOT NULL,
    "jwks" TEXT,
    "tlsSubjectDn" TEXT,
    "requirePushedForCredential" BOOLEAN NOT NULL DEFAULT false,
    "introspectsAll" BOOLEAN NOT NULL DEFAULT false,
    "createdAt" DATETIME NOT NULL,
    "disabledAt" DATETIME
);

-- CreateTable
CREATE TABLE "Credential" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "keyAlgorithm" TEXT NOT NULL,
    "certificates" TEXT NOT NULL,
    "SCAL" TEXT NOT NULL,
    "multisign" INTEGER NOT NULL,
    "authMode" TEXT NOT NULL,
    "authObjects" TEXT NOT NULL DEFAULT '[]',
    "authExpression" TEXT,
    "signatureQualifier" TEXT,
    "ownerClientId" TEXT,
    "pinHash" TEXT,
    "approvalFactor" TEXT DEFAULT 'otp',
    "binding" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "failedAttempts" INTEGER NOT NULL DEFAULT 0,
    "lockedUntil" DATETIME,
    "createdAt" DATETIME NOT NULL,
    "statusChangedAt" DATETIME,
    CONSTRAINT "Credential_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Transaction" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "hashAlgorithm" TEXT,
    "numSignatures" INTEGER NOT NULL,
    "description" TEXT,
    "clientData" TEXT,
    "items" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "Authorisation" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "transactionId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "hashAlgorithm" TEXT,
    "numSignatures" INTEGER NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "revokedAt" DATETIME
);

-- CreateTable
CREATE TABLE "Sad" (
    "idHash" TEXT NOT NULL PRIMARY KEY,
    "authorisationId" TEXT NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "operationId" TEXT,
    "endedAt" DATETIME
);

-- CreateTable
CREATE TABLE "RepeatableSigning" (
    "keyHash" TEXT NOT NULL PRIMARY KEY,
    "requestHash" TEXT NOT NULL,
    "operationId" TEXT NOT NULL,
    "rows" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "SentCode" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "credentialId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "factor" TEXT NOT NULL,
    "codeHash" TEXT NOT NULL,
    "sentAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL,
    "spentAt" DATETIME
);

-- CreateTable
CREATE TABLE "AuthorisedDigest" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "authorisationId" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "digest" TEXT,
    "label" TEXT,
    "state" TEXT NOT NULL,
    "operationId" TEXT,
    "reservedUntil" DATETIME,
    "signature" TEXT,
    "signAlgorithm" TEXT,
    "settledAt" DATETIME,
    CONSTRAINT "AuthorisedDigest_authorisationId_fkey" FOREIGN KEY ("authorisationId") REFERENCES "Authorisation" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "OAuthRecord" (
    "model" TEXT NOT NULL,
    "idHash" TEXT NOT NULL,
    "grantId" TEXT,
    "uidHash" TEXT,
    "payload" TEXT NOT NULL,
    "consumedAt" DATETIME,
    "revokedAt" DATETIME,
    "expiresAt" DATETIME,

    PRIMARY KEY ("model", "idHash")
);

-- CreateTable
CREATE TABLE "Throttle" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "count" INTEGER NOT NULL,
    "windowEnd" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "AuditRecord" (
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "prevHash" TEXT NOT NULL,
    "hash" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "AuthorityKey" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "keyId" TEXT NOT NULL,
    "certificate" BLOB NOT NULL
);

-- CreateTable
CREATE TABLE "Installation" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "User_username_key" ON "User"("username");

-- CreateIndex
CREATE UNIQUE INDEX "Identity_userId_issuer_key" ON "Identity"("userId", "issuer");

-- CreateIndex
CREATE UNIQUE INDEX "Credential_keyId_key" ON "Credential"("keyId");

-- CreateIndex
CREATE INDEX "Credential_userId_idx" ON "Credential"("userId");

-- CreateIndex
CREATE INDEX "Transaction_expiresAt_idx" ON "Transaction"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "Authorisation_transactionId_key" ON "Authorisation"("transactionId");

-- CreateIndex
CREATE INDEX "Authorisation_credentialId_idx" ON "Authorisation"("credentialId");

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
CREATE INDEX "OAuthRecord_expiresAt_idx" ON "OAuthRecord"("expiresAt");

-- CreateIndex
CREATE INDEX "Throttle_windowEnd_idx" ON "Throttle"("windowEnd");

-- CreateIndex
CREATE UNIQUE INDEX "AuditRecord_hash_key" ON "AuditRecord"("hash");
