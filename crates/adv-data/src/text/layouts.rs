//! Where the files of each task lie, and how they are read.

use super::TaskId;
use super::documents::Fold;
use super::format::Format;
use super::formats::{
    COLA, ENTAILMENT, GLUE_PAIR, LATIN1, NLI, PARAPHRASE, QUESTIONS, SICK, UTF8, at, pair, single,
};

/// A file and how it is read.
pub(super) type Part = (&'static str, Format);

/// One way the files of a task lie in a folder: any part may be empty; several files of a part are read one after the other.
pub(super) struct Layout {
    pub(super) folder: &'static str,
    pub(super) train: &'static [Part],
    pub(super) dev: &'static [Part],
    pub(super) test: &'static [Part],
}

impl Layout {
    /// Train, dev and test.
    pub(super) fn parts(&self) -> [&'static [Part]; 3] {
        [self.train, self.dev, self.test]
    }

    /// The names of all files.
    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> {
        self.parts().into_iter().flatten().map(|(name, _)| *name)
    }
}

/// Below a folder of data sets; of several layouts of a task the first one that is there counts. `SST-2`, `RTE` and so on are the
/// folders of GLUE's own download, whose test files have no labels.
pub(super) const LAYOUTS: &[(TaskId, Layout)] = &[
    (
        TaskId::Sst2,
        Layout {
            folder: "sst2/glue",
            train: &[("train.tsv", single("sentence", "label"))],
            dev: &[("dev.tsv", single("sentence", "label"))],
            test: &[("test.tsv", single("sentence", "label"))],
        },
    ),
    (
        TaskId::Sst2,
        Layout {
            folder: "SST-2",
            train: &[("train.tsv", single("sentence", "label"))],
            dev: &[("dev.tsv", single("sentence", "label"))],
            test: &[],
        },
    ),
    (
        TaskId::Sst2Sentences,
        Layout {
            folder: "sst2/sentence",
            train: &[("stsa.binary.train", Format::LabelFirst)],
            dev: &[("stsa.binary.dev", Format::LabelFirst)],
            test: &[("stsa.binary.test", Format::LabelFirst)],
        },
    ),
    (
        TaskId::Sst5,
        Layout {
            folder: "sst2/fine",
            train: &[("stsa.fine.train", Format::LabelFirst)],
            dev: &[("stsa.fine.dev", Format::LabelFirst)],
            test: &[("stsa.fine.test", Format::LabelFirst)],
        },
    ),
    (
        TaskId::Mrpc,
        Layout {
            folder: "glue/MRPC",
            train: &[("msr-para-train.tsv", PARAPHRASE)],
            dev: &[("msr-para-val.tsv", PARAPHRASE)],
            test: &[("msr-para-test.tsv", PARAPHRASE)],
        },
    ),
    (
        TaskId::Mrpc,
        Layout {
            folder: "MRPC",
            train: &[("train.tsv", PARAPHRASE)],
            dev: &[("dev.tsv", PARAPHRASE)],
            test: &[("msr_paraphrase_test.txt", PARAPHRASE)],
        },
    ),
    (
        TaskId::Rte,
        Layout {
            folder: "glue/RTE",
            train: &[("train.tsv", GLUE_PAIR), ("val.tsv", at(1, Some(2), 3))],
            dev: &[("dev.tsv", GLUE_PAIR)],
            test: &[],
        },
    ),
    (
        TaskId::Rte,
        Layout {
            folder: "RTE",
            train: &[("train.tsv", GLUE_PAIR)],
            dev: &[("dev.tsv", GLUE_PAIR)],
            test: &[],
        },
    ),
    (
        TaskId::Wnli,
        Layout {
            folder: "glue/WNLI",
            train: &[("train.tsv", GLUE_PAIR), ("val.tsv", at(1, Some(2), 3))],
            dev: &[("dev.tsv", GLUE_PAIR)],
            test: &[],
        },
    ),
    (
        TaskId::Wnli,
        Layout {
            folder: "WNLI",
            train: &[("train.tsv", GLUE_PAIR)],
            dev: &[("dev.tsv", GLUE_PAIR)],
            test: &[],
        },
    ),
    (
        TaskId::Cola,
        Layout {
            folder: "glue/CoLA",
            train: &[("train.tsv", COLA), ("val.tsv", COLA)],
            dev: &[("dev.tsv", COLA)],
            test: &[],
        },
    ),
    (
        TaskId::Cola,
        Layout {
            folder: "CoLA",
            train: &[("train.tsv", COLA)],
            dev: &[("dev.tsv", COLA)],
            test: &[],
        },
    ),
    (
        TaskId::StsB,
        Layout {
            folder: "sts/STSBenchmark",
            train: &[("sts-train.csv", at(5, Some(6), 4))],
            dev: &[("sts-dev.csv", at(5, Some(6), 4))],
            test: &[("sts-test.csv", at(5, Some(6), 4))],
        },
    ),
    (
        TaskId::StsB,
        Layout {
            folder: "STS-B",
            train: &[("train.tsv", pair("sentence1", "sentence2", "score"))],
            dev: &[("dev.tsv", pair("sentence1", "sentence2", "score"))],
            test: &[],
        },
    ),
    (
        TaskId::Qqp,
        Layout {
            folder: "QQP",
            train: &[("train.tsv", QUESTIONS)],
            dev: &[("dev.tsv", QUESTIONS)],
            test: &[],
        },
    ),
    (
        TaskId::Qqp,
        Layout {
            folder: "nli",
            train: &[],
            dev: &[("quora-dev.txt", NLI)],
            test: &[("quora-test.txt", NLI)],
        },
    ),
    (
        TaskId::Qnli,
        Layout {
            folder: "QNLI",
            train: &[("train.tsv", pair("question", "sentence", "label"))],
            dev: &[("dev.tsv", pair("question", "sentence", "label"))],
            test: &[],
        },
    ),
    (
        TaskId::Mnli,
        Layout {
            folder: "MNLI",
            train: &[("train.tsv", ENTAILMENT)],
            dev: &[("dev_matched.tsv", ENTAILMENT)],
            test: &[],
        },
    ),
    (
        TaskId::MnliMismatched,
        Layout {
            folder: "MNLI",
            train: &[("train.tsv", ENTAILMENT)],
            dev: &[("dev_matched.tsv", ENTAILMENT)],
            test: &[("dev_mismatched.tsv", ENTAILMENT)],
        },
    ),
    (
        TaskId::SickE,
        Layout {
            folder: "sts/SICK",
            train: &[("SICK_train.txt", SICK[0])],
            dev: &[("SICK_trial.txt", SICK[0])],
            test: &[("SICK_test_annotated.txt", SICK[0])],
        },
    ),
    (
        TaskId::SickR,
        Layout {
            folder: "sts/SICK",
            train: &[("SICK_train.txt", SICK[1])],
            dev: &[("SICK_trial.txt", SICK[1])],
            test: &[("SICK_test_annotated.txt", SICK[1])],
        },
    ),
    (
        TaskId::Snli,
        Layout {
            folder: "nli",
            train: &[],
            dev: &[("snli-dev.txt", NLI)],
            test: &[("snli-test.txt", NLI)],
        },
    ),
    (
        TaskId::SciTail,
        Layout {
            folder: "nli",
            train: &[],
            dev: &[("scitail-dev.txt", NLI)],
            test: &[("scitail-test.txt", NLI)],
        },
    ),
    (
        TaskId::Mr,
        Layout {
            folder: "textcls",
            train: &[
                ("rt-polarity.neg", Format::Lines(0, LATIN1)),
                ("rt-polarity.pos", Format::Lines(1, LATIN1)),
            ],
            dev: &[],
            test: &[],
        },
    ),
    (
        TaskId::MovieReviews,
        Layout {
            folder: "textcls",
            train: &[("movie_reviews.zip", Format::Documents(Fold::Train))],
            dev: &[],
            test: &[("movie_reviews.zip", Format::Documents(Fold::Test))],
        },
    ),
    (
        TaskId::Cr,
        Layout {
            folder: "textcls",
            train: &[
                ("custrev.neg", Format::Lines(0, UTF8)),
                ("custrev.pos", Format::Lines(1, UTF8)),
            ],
            dev: &[],
            test: &[],
        },
    ),
    (
        TaskId::Subj,
        Layout {
            folder: "textcls",
            train: &[
                ("subj.subjective", Format::Lines(0, LATIN1)),
                ("subj.objective", Format::Lines(1, LATIN1)),
            ],
            dev: &[],
            test: &[],
        },
    ),
    (
        TaskId::Mpqa,
        Layout {
            folder: "textcls",
            train: &[
                ("mpqa.neg", Format::Lines(0, UTF8)),
                ("mpqa.pos", Format::Lines(1, UTF8)),
            ],
            dev: &[],
            test: &[],
        },
    ),
    (
        TaskId::Trec,
        Layout {
            folder: "textcls",
            train: &[("TREC.train", Format::Trec)],
            dev: &[],
            test: &[("TREC.test", Format::Trec)],
        },
    ),
];
