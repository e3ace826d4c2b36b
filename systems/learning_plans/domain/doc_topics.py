"""The documentation that is known by heart: for a topic, the pages a learner should begin with."""

from collections.abc import Sequence
from dataclasses import dataclass

from systems.learning_plans.domain.relevance import occurs


@dataclass(frozen=True, slots=True)
class Page:
    """One page of documentation."""

    title: str
    url: str


_JAVASCRIPT = (
    Page("JavaScript Guide", "https://developer.mozilla.org/en-US/docs/Web/JavaScript/Guide"),
    Page("JavaScript reference", "https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference"),
)
_NODE = (
    Page("Introduction to Node.js (NodeJS)", "https://nodejs.org/en/learn/getting-started/introduction-to-nodejs"),
    Page("Node.js (NodeJS) API documentation", "https://nodejs.org/api/"),
)
_KUBERNETES = (
    Page("Kubernetes (k8s) Concepts", "https://kubernetes.io/docs/concepts/"),
    Page("Learn Kubernetes (k8s) Basics: Tutorials", "https://kubernetes.io/docs/tutorials/kubernetes-basics/"),
)
_POSTGRES = (
    Page("PostgreSQL (Postgres) Tutorial", "https://www.postgresql.org/docs/current/tutorial.html"),
    Page("PostgreSQL (Postgres) Documentation: The SQL Language", "https://www.postgresql.org/docs/current/sql.html"),
)
_GO = (
    Page("Go (Golang) Tutorial: Get started with the Go programming language", "https://go.dev/doc/tutorial/"),
    Page("Effective Go (Golang): programming with goroutines, channels and errors", "https://go.dev/doc/effective_go"),
)
_RUST = (
    Page("The Rust Programming Language: ownership, borrowing, traits", "https://doc.rust-lang.org/book/"),
    Page("Rust by Example", "https://doc.rust-lang.org/rust-by-example/"),
)
_CSHARP = (
    Page("A tour of the C# language (C Sharp)", "https://learn.microsoft.com/en-us/dotnet/csharp/tour-of-csharp/"),
    Page("C# (C Sharp) guide", "https://learn.microsoft.com/en-us/dotnet/csharp/"),
)

# Read from the top: what contains another topic's words stands above it, without pages where none of ours fits.
# "Go", which is also a common verb, is known only in company.
TOPICS: tuple[tuple[str, tuple[Page, ...]], ...] = (
    ("typescript", (
        Page("TypeScript Handbook", "https://www.typescriptlang.org/docs/handbook/intro.html"),
        Page("TypeScript Handbook: Generics, types and functions",
             "https://www.typescriptlang.org/docs/handbook/2/generics.html"),
    )),
    ("react native", ()),
    ("react", (
        Page("React: Quick Start", "https://react.dev/learn"),
        Page("React: Built-in Hooks", "https://react.dev/reference/react/hooks"),
        Page("React: Managing State in components", "https://react.dev/learn/managing-state"),
    )),
    ("vue", (
        Page("Vue: Introduction", "https://vuejs.org/guide/introduction.html"),
        Page("Vue: Quick Start", "https://vuejs.org/guide/quick-start.html"),
    )),
    ("angular momentum", ()),
    ("angular velocity", ()),
    ("angular", (
        Page("Angular: Overview", "https://angular.dev/overview"),
        Page("Angular: Essentials, components and signals", "https://angular.dev/essentials"),
    )),
    ("node.js", _NODE),
    ("nodejs", _NODE),
    ("javascript", _JAVASCRIPT),
    ("html", (
        Page("HTML: HyperText Markup Language", "https://developer.mozilla.org/en-US/docs/Web/HTML"),
        Page("HTML elements reference", "https://developer.mozilla.org/en-US/docs/Web/HTML/Reference/Elements"),
    )),
    ("css", (
        Page("CSS: Cascading Style Sheets", "https://developer.mozilla.org/en-US/docs/Web/CSS"),
        Page("CSS layout: flexbox and grid", "https://developer.mozilla.org/en-US/docs/Learn_web_development/Core/CSS_layout"),
    )),
    ("pytorch", (
        Page("PyTorch: Learn the Basics", "https://pytorch.org/tutorials/beginner/basics/intro.html"),
        Page("PyTorch documentation: neural networks and tensors", "https://pytorch.org/docs/stable/index.html"),
    )),
    ("python", (
        Page("The Python Tutorial", "https://docs.python.org/3/tutorial/index.html"),
        Page("The Python Standard Library", "https://docs.python.org/3/library/index.html"),
        Page("The Python Language Reference", "https://docs.python.org/3/reference/index.html"),
    )),
    ("postgresql", _POSTGRES),
    ("postgres", _POSTGRES),
    ("sql", (
        Page("The SQL Language: tables, queries and joins", "https://www.postgresql.org/docs/current/tutorial-sql.html"),
        Page("SQL Commands", "https://www.postgresql.org/docs/current/sql-commands.html"),
    )),
    ("docker", (
        Page("Docker: Get started", "https://docs.docker.com/get-started/"),
        Page("Docker: Building images with a Dockerfile", "https://docs.docker.com/build/concepts/dockerfile/"),
    )),
    ("kubernetes", _KUBERNETES),
    ("k8s", _KUBERNETES),
    ("golang", _GO),
    ("go programming", _GO),
    ("go language", _GO),
    ("rust", _RUST),
    ("c#", _CSHARP),
    (".net", (
        Page("Introduction to .NET", "https://learn.microsoft.com/en-us/dotnet/core/introduction"),
        Page(".NET fundamentals documentation", "https://learn.microsoft.com/en-us/dotnet/fundamentals/"),
    )),
    ("azure", (
        Page("Azure fundamentals: get started", "https://learn.microsoft.com/en-us/azure/guides/developer/azure-developer-guide"),
        Page("Azure documentation", "https://learn.microsoft.com/en-us/azure/"),
    )),
    ("aws", (
        Page("AWS documentation", "https://docs.aws.amazon.com/"),
        Page("AWS Lambda: Developer Guide", "https://docs.aws.amazon.com/lambda/latest/dg/welcome.html"),
    )),
    ("google cloud", (
        Page("Google Cloud documentation", "https://cloud.google.com/docs"),
        Page("Google Cloud: Get started", "https://cloud.google.com/docs/get-started"),
    )),
    ("swiftui", (
        Page("SwiftUI", "https://developer.apple.com/documentation/swiftui"),
        Page("Introducing SwiftUI: Tutorials", "https://developer.apple.com/tutorials/swiftui"),
    )),
    ("github actions", (
        Page("GitHub Actions documentation: workflows", "https://docs.github.com/en/actions"),
    )),
    ("github", (
        Page("GitHub: Get started", "https://docs.github.com/en/get-started"),
        Page("GitHub documentation", "https://docs.github.com/en"),
    )),
    ("java", (
        Page("Java Platform documentation", "https://docs.oracle.com/en/java/javase/"),
        Page("The Java Tutorials", "https://docs.oracle.com/javase/tutorial/"),
    )),
)  # fmt: skip


def pages_for(query: str) -> Sequence[Page]:
    """The pages of the first topic that occurs in the query, as whole words; empty when none does."""
    return next((pages for topic, pages in TOPICS if occurs(topic, query)), ())
