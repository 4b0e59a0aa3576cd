"""The report: traces, surfaces and a comparison's summary as one HTML file that opens without a network."""

from fallline.report.page import write_report

__all__ = ["write_report"]
