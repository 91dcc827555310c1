-- AlterTable
ALTER TABLE "Authorisation" ADD COLUMN "extendedAt" DATETIME;

-- CreateTable
CREATE TABLE "ApprovalRequest" (
    "transactionId" TEXT NOT NULL PRIMARY KEY,
    "handleHash" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "credentialId" TEXT NOT NULL,
    "factors" TEXT NOT NULL,
    "collectedAt" DATETIME,
    "expiresAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "ApprovalRequest_handleHash_key" ON "ApprovalRequest"("handleHash");

-- CreateIndex
CREATE INDEX "ApprovalRequest_userId_idx" ON "ApprovalRequest"("userId");

-- CreateIndex
CREATE INDEX "ApprovalRequest_credentialId_idx" ON "ApprovalRequest"("credentialId");

-- CreateIndex
CREATE INDEX "ApprovalRequest_expiresAt_idx" ON "ApprovalRequest"("expiresAt");
