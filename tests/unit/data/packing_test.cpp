#include "slayer/data/packing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "tests/support/error_message.h"
#include "tests/support/text_file.h"

namespace slayer {
namespace {

/// A store of documents of the given lengths whose tokens count up from 1.
TokenStore store_of(const ScratchFolder& folder, const std::vector<int64_t>& lengths) {
  const std::string key(64, 'k');
  TokenStoreWriter writer(folder / "t.bin", key);
  TokenId next = 1;
  for (const int64_t length : lengths) {
    std::vector<TokenId> tokens(static_cast<size_t>(length));
    std::iota(tokens.begin(), tokens.end(), next);
    next += static_cast<TokenId>(length);
    writer.add(tokens, {});
  }
  writer.commit();
  return {folder / "t.bin", key};
}

using Ids = std::vector<int64_t>;
using Tokens = std::vector<TokenId>;
using Spans = std::vector<TokenSpan>;

TEST(PackedSequences, EndsTargetsAndPiecesAtDocuments) {
  const ScratchFolder folder;
  const TokenStore store = store_of(folder, {3, 6});
  const PackedSequences sequences(store, /*seq_len=*/4, Packing::kDocuments, /*padding=*/0);
  ASSERT_EQ(sequences.count(), 3);
  const Sequence first = sequences.at(0);
  EXPECT_EQ(first.input_ids, (Ids{1, 2, 3, 4}));
  EXPECT_EQ(first.target_ids, (Ids{2, 3, kNoTarget, 5}));
  EXPECT_EQ(first.pieces, (Ids{3, 1}));
  EXPECT_EQ(first.target_count, 3);
  const Sequence second = sequences.at(1);
  EXPECT_EQ(second.input_ids, (Ids{5, 6, 7, 8}));
  EXPECT_EQ(second.target_ids, (Ids{6, 7, 8, 9}));
  EXPECT_EQ(second.pieces, (Ids{4}));
  const Sequence last = sequences.at(2);
  EXPECT_EQ(last.input_ids, (Ids{9, 0, 0, 0}));
  EXPECT_EQ(last.target_ids, (Ids{kNoTarget, kNoTarget, kNoTarget, kNoTarget}));
  EXPECT_EQ(last.pieces, (Ids{1, 3}));
  EXPECT_EQ(sequences.documents(0), (std::pair<int64_t, int64_t>{0, 1}));
  EXPECT_EQ(sequences.documents(2), (std::pair<int64_t, int64_t>{1, 1}));
}

TEST(PackedSequences, StreamRunsThroughDocuments) {
  const ScratchFolder folder;
  const TokenStore store = store_of(folder, {3, 3});
  const PackedSequences sequences(store, /*seq_len=*/4, Packing::kStream, /*padding=*/0);
  EXPECT_EQ(sequences.at(0).target_ids, (Ids{2, 3, 4, 5}));
  EXPECT_EQ(sequences.at(0).pieces, (Ids{4}));
  EXPECT_EQ(sequences.at(1).target_ids, (Ids{6, kNoTarget, kNoTarget, kNoTarget}));
  EXPECT_EQ(sequences.at(1).pieces, (Ids{2, 2}));
}

TEST(PackedSequences, KeepsDocumentsWhole) {
  const ScratchFolder folder;
  const TokenStore store = store_of(folder, {3, 1, 2, 6, 1});
  const PackedSequences sequences(store, /*seq_len=*/4, Packing::kWhole, /*padding=*/0);
  ASSERT_EQ(sequences.count(), 4);
  EXPECT_EQ(sequences.cut_documents(), 1);
  EXPECT_EQ(sequences.at(0).input_ids, (Ids{1, 2, 3, 4}));
  EXPECT_EQ(sequences.at(0).target_ids, (Ids{2, 3, kNoTarget, kNoTarget}));
  EXPECT_EQ(sequences.at(0).pieces, (Ids{3, 1}));
  EXPECT_EQ(sequences.at(1).input_ids, (Ids{5, 6, 0, 0}));
  EXPECT_EQ(sequences.at(1).pieces, (Ids{2, 2}));
  EXPECT_EQ(sequences.at(2).input_ids, (Ids{7, 8, 9, 10}));
  EXPECT_EQ(sequences.at(2).target_ids, (Ids{8, 9, 10, 11}));
  EXPECT_EQ(sequences.at(3).input_ids, (Ids{13, 0, 0, 0}));
  EXPECT_EQ(sequences.documents(0), (std::pair<int64_t, int64_t>{0, 1}));
  EXPECT_EQ(sequences.documents(3), (std::pair<int64_t, int64_t>{4, 4}));
}

TEST(PackedSequences, HasTargetsOnlyWhereSomethingIsLearnt) {
  const ScratchFolder folder;
  const std::string key(64, 'k');
  TokenStoreWriter writer(folder / "t.bin", key, /*learns_all=*/false);
  writer.add(Tokens{1, 2, 3, 4, 5}, {}, Spans{{.begin = 1, .end = 2}, {.begin = 3, .end = 5}});
  writer.add(Tokens{6, 7, 8}, {}, Spans{{.begin = 0, .end = 2}});
  writer.commit();
  const TokenStore store(folder / "t.bin", key);
  const PackedSequences sequences(store, /*seq_len=*/4, Packing::kDocuments, /*padding=*/0);
  EXPECT_EQ(sequences.at(0).target_ids, (Ids{2, kNoTarget, 4, 5}));
  EXPECT_EQ(sequences.at(0).target_count, 3);
  EXPECT_EQ(sequences.at(1).input_ids, (Ids{5, 6, 7, 8}));
  EXPECT_EQ(sequences.at(1).target_ids, (Ids{kNoTarget, 7, kNoTarget, kNoTarget}));
}

TEST(PackedSequences, UsesEachTokenOnceWhateverTheLengths) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const ScratchFolder folder;
    Ids lengths(1 + random() % 20);
    for (int64_t& length : lengths) {
      length = 1 + static_cast<int64_t>(random() % 30);
    }
    const TokenStore store = store_of(folder, lengths);
    const int64_t seq_len = 1 + static_cast<int64_t>(random() % 16);
    const PackedSequences sequences(store, seq_len, Packing::kDocuments, /*padding=*/0);
    Ids inputs;
    int64_t targets = 0;
    for (int64_t i = 0; i < sequences.count(); ++i) {
      const Sequence sequence = sequences.at(i);
      ASSERT_EQ(static_cast<int64_t>(sequence.input_ids.size()), seq_len);
      ASSERT_EQ(static_cast<int64_t>(sequence.target_ids.size()), seq_len);
      EXPECT_EQ(std::accumulate(sequence.pieces.begin(), sequence.pieces.end(), int64_t{0}),
                seq_len);
      for (size_t at = 0; at < sequence.input_ids.size(); ++at) {
        if (sequence.input_ids[at] != 0) {
          inputs.push_back(sequence.input_ids[at]);
        }
        if (sequence.target_ids[at] != kNoTarget) {
          EXPECT_EQ(sequence.target_ids[at], sequence.input_ids[at] + 1);
          ++targets;
        }
      }
    }
    Ids expected(static_cast<size_t>(store.token_count()));
    std::iota(expected.begin(), expected.end(), 1);
    EXPECT_EQ(inputs, expected);
    EXPECT_EQ(targets, store.token_count() - store.document_count());
  }
}

TEST(Packing, HasNames) {
  EXPECT_EQ(packing_from_name("documents"), Packing::kDocuments);
  EXPECT_EQ(packing_from_name(name_of(Packing::kStream)), Packing::kStream);
  EXPECT_EQ(message_of([] { packing_from_name("padded"); }),
            "packing: found \"padded\", expected documents, whole or stream");
}

}  // namespace
}  // namespace slayer
