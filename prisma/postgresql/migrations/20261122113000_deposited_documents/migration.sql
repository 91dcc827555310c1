-- CreateTable
CREATE TABLE "DepositedDocument" (
    "id" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "sha384" TEXT NOT NULL,
    "sha512" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "content" BYTEA NOT NULL,
    "size" BIGINT NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "DepositedDocument_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "DepositedDocument_clientId_sha384_idx" ON "DepositedDocument"("clientId", "sha384");

-- CreateIndex
CREATE INDEX "DepositedDocument_clientId_sha512_idx" ON "DepositedDocument"("clientId", "sha512");

-- CreateIndex
CREATE INDEX "DepositedDocument_expiresAt_idx" ON "DepositedDocument"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "DepositedDocument_clientId_userId_sha256_key" ON "DepositedDocument"("clientId", "userId", "sha256");
